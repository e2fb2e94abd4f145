-- Decisions of the router and what its policies and endpoints have spent. Running this again changes nothing. Times are milliseconds since 1970 UTC.

CREATE TABLE IF NOT EXISTS slm_route_decision
(
    id text PRIMARY KEY,
    time integer NOT NULL,
    policy text NOT NULL,
    tenant text NOT NULL,
    -- 1 where it ran in the shadow of another.
    shadow integer NOT NULL,
    -- A RouteDecision as JSON.
    decision text NOT NULL
);

CREATE INDEX IF NOT EXISTS slm_route_decision_time ON slm_route_decision (policy, time);

CREATE TABLE IF NOT EXISTS slm_route_spend
(
    scope text NOT NULL,
    window_start integer NOT NULL,
    -- Costs, and what is set aside for calls under way.
    spent real NOT NULL,
    PRIMARY KEY (scope, window_start)
);
