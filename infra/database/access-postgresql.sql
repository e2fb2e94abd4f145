-- API keys of the gateway and its audit log. Running this again changes nothing. Times are milliseconds since 1970 UTC.

CREATE TABLE IF NOT EXISTS slm_api_key
(
    id text PRIMARY KEY,
    name text NOT NULL,
    -- SHA-256 of the whole key, which has 256 random bits.
    hash bytea NOT NULL,
    -- Separated by blanks.
    scopes text NOT NULL,
    requests_per_minute bigint,
    tokens_per_minute bigint,
    max_concurrent bigint,
    created bigint NOT NULL,
    expires bigint,
    revoked bigint
);

CREATE TABLE IF NOT EXISTS slm_audit
(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time bigint NOT NULL,
    request_id text NOT NULL,
    key_id text NOT NULL,
    address text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    duration_ms bigint NOT NULL
);

CREATE INDEX IF NOT EXISTS slm_audit_time ON slm_audit (time);
