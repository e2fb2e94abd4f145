-- API keys of the gateway and its audit log. Running this again changes nothing. Times are milliseconds since 1970 UTC.

CREATE TABLE IF NOT EXISTS slm_api_key
(
    id text PRIMARY KEY,
    name text NOT NULL,
    -- SHA-256 of the whole key, which has 256 random bits.
    hash blob NOT NULL,
    -- Separated by blanks.
    scopes text NOT NULL,
    requests_per_minute integer,
    tokens_per_minute integer,
    max_concurrent integer,
    created integer NOT NULL,
    expires integer,
    revoked integer
);

CREATE TABLE IF NOT EXISTS slm_audit
(
    id integer PRIMARY KEY AUTOINCREMENT,
    time integer NOT NULL,
    request_id text NOT NULL,
    key_id text NOT NULL,
    address text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    prompt_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    duration_ms integer NOT NULL
);

CREATE INDEX IF NOT EXISTS slm_audit_time ON slm_audit (time);
