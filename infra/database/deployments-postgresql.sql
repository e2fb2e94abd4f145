-- Models that are loaded, and how: what a cluster takes up again after a restart of all of its silos. Running this again
-- changes nothing.

CREATE TABLE IF NOT EXISTS slm_deployment
(
    model text PRIMARY KEY,
    -- slm.v1.LoadModelRequest and slm.v1.LoadAdapterRequest as JSON.
    settings jsonb NOT NULL,
    -- Keys of the replicas' grains, by number.
    replicas text[] NOT NULL,
    adapters jsonb[] NOT NULL,
    changed timestamptz NOT NULL
);
