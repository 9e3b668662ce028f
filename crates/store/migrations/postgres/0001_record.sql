-- Times are microseconds since the Unix epoch (UTC).
-- State: 0 QUEUED, 1 RUNNING, 2 RETRYING, 3 SUCCEEDED, 4 FAILED, 5 CANCELLED; "state < 3" is a live call.
-- Kind of a body: 0 none, 1 inline, 2 a key of the blob store.
-- Start: 0 cold, 1 warm.
-- Texts that a function or a client may put a NUL into are bytea: text cannot hold one.

CREATE TABLE functions (
    namespace  text    COLLATE "C" NOT NULL,
    name       text    COLLATE "C" NOT NULL,
    uid        uuid    NOT NULL UNIQUE,
    generation bigint  NOT NULL CHECK (generation > 0),
    version    integer NOT NULL CHECK (version > 0),
    spec       text    NOT NULL,
    paused     boolean NOT NULL,
    deleting   boolean NOT NULL,
    created_at bigint  NOT NULL,
    updated_at bigint  NOT NULL,
    PRIMARY KEY (namespace, name)
);

-- Outlives the function, so that a function made anew goes on numbering.
CREATE TABLE numbering (
    namespace text    COLLATE "C" NOT NULL,
    name      text    COLLATE "C" NOT NULL,
    last      integer NOT NULL,
    PRIMARY KEY (namespace, name)
);

CREATE TABLE versions (
    uid        uuid    NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    namespace  text    COLLATE "C" NOT NULL,
    name       text    COLLATE "C" NOT NULL,
    spec       text    NOT NULL,
    blob       text    COLLATE "C",
    created_at bigint  NOT NULL,
    created_by text    NOT NULL,
    PRIMARY KEY (uid, number)
);
CREATE INDEX versions_blob ON versions (blob) WHERE blob IS NOT NULL;

CREATE TABLE invocations (
    id               uuid     NOT NULL PRIMARY KEY,
    namespace        text     COLLATE "C" NOT NULL,
    name             text     COLLATE "C" NOT NULL,
    function_uid     uuid     NOT NULL,
    version          integer  NOT NULL CHECK (version > 0),
    source           text     COLLATE "C" NOT NULL,
    caller           text     COLLATE "C" NOT NULL,
    replay_of        uuid,
    trace            bytea    NOT NULL,
    state            smallint NOT NULL CHECK (state BETWEEN 0 AND 5),
    epoch            bigint   NOT NULL,
    attempts         integer  NOT NULL,
    lost             integer  NOT NULL,
    not_before       bigint   NOT NULL,
    cancel_requested boolean  NOT NULL,
    dead_letter      boolean  NOT NULL,
    created_at       bigint   NOT NULL,
    started_at       bigint,
    ended_at         bigint,
    reason           text     COLLATE "C",
    message          bytea,
    retry_after      bigint,
    http_status      integer,
    logs_truncated   boolean  NOT NULL,
    worker           text     COLLATE "C",
    lease_until      bigint,
    start            smallint,
    run_micros       bigint,
    payload_size     bigint   NOT NULL,
    payload_type     text,
    result_size      bigint   NOT NULL,
    result_type      text,
    payload_kind     smallint NOT NULL,
    payload          bytea,
    result_kind      smallint NOT NULL,
    result           bytea,
    -- Exactly the ended calls have an end.
    CHECK ((state < 3) = (ended_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- Kept out of the row above 2 KB, and not squeezed: a change of state then does not rewrite them.
ALTER TABLE invocations ALTER payload SET STORAGE EXTERNAL, ALTER result SET STORAGE EXTERNAL;
CREATE INDEX invocations_function ON invocations (namespace, name, id);
CREATE INDEX invocations_namespace ON invocations (namespace, id);
CREATE INDEX invocations_live ON invocations (namespace, name, state, created_at) WHERE state < 3;
CREATE INDEX invocations_live_uid ON invocations (function_uid) WHERE state < 3;
CREATE INDEX invocations_leased ON invocations (lease_until) WHERE state = 1;
CREATE INDEX invocations_ended ON invocations (namespace, name, ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX invocations_dead ON invocations (namespace, name, id) WHERE dead_letter;
CREATE INDEX invocations_replays ON invocations (replay_of, id) WHERE replay_of IS NOT NULL;
CREATE INDEX invocations_payload_blob ON invocations (payload) WHERE payload_kind = 2;
CREATE INDEX invocations_result_blob ON invocations (result) WHERE result_kind = 2;

CREATE TABLE attempts (
    invocation  uuid     NOT NULL,
    number      integer  NOT NULL CHECK (number > 0),
    epoch       bigint   NOT NULL,
    version     integer  NOT NULL,
    worker      text     COLLATE "C" NOT NULL,
    started_at  bigint   NOT NULL,
    ended_at    bigint,
    start       smallint,
    outcome     smallint,
    exit_code   integer,
    reason      text     COLLATE "C",
    message     bytea,
    retry_after bigint,
    PRIMARY KEY (invocation, number)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- One row for each call that waits, as long as it waits. Whoever holds it publishes it; from free_at on (never before
-- due_at), others may take it. Published, it stays for the case that the bus forgets.
CREATE SEQUENCE outbox_seq;
CREATE TABLE outbox (
    invocation   uuid    NOT NULL PRIMARY KEY,
    -- Another with each entry, so that a late "published" does not take away a newer one.
    seq          bigint  NOT NULL UNIQUE DEFAULT nextval('outbox_seq'),
    due_at       bigint  NOT NULL,
    free_at      bigint  NOT NULL CHECK (free_at >= due_at),
    holder       bigint  NOT NULL,
    namespace    text    COLLATE "C" NOT NULL,
    name         text    COLLATE "C" NOT NULL,
    function_uid uuid    NOT NULL,
    epoch        bigint  NOT NULL,
    trace        bytea   NOT NULL,
    -- At this epoch.
    publishes    integer NOT NULL DEFAULT 0,
    published_at bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_held ON outbox (holder, due_at, seq) WHERE published_at IS NULL;
CREATE INDEX outbox_free ON outbox (free_at) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (namespace, name, published_at) WHERE published_at IS NOT NULL;

-- How many calls of a function wait: the sum of its shards. Each writing connection changes its own shard, so that
-- writers do not wait for each other.
CREATE TABLE waiting (
    function_uid uuid     NOT NULL,
    shard        smallint NOT NULL,
    count        bigint   NOT NULL,
    PRIMARY KEY (function_uid, shard)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

-- The number of the last transaction that each writing connection committed, written by that transaction: so a writer
-- whose connection died at a commit can learn what became of it.
CREATE TABLE writers (
    id     bigint PRIMARY KEY,
    number bigint NOT NULL,
    at     bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE idempotency (
    scope        bytea  NOT NULL PRIMARY KEY,
    payload_hash bytea  NOT NULL,
    invocation   uuid   NOT NULL,
    expires_at   bigint NOT NULL
);
CREATE INDEX idempotency_invocation ON idempotency (invocation);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE log_sources (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text   COLLATE "C" NOT NULL,
    name      text   COLLATE "C" NOT NULL,
    UNIQUE (namespace, name)
);

-- Stream: 0 stdout, 1 stderr, 2 system.
CREATE TABLE logs (
    invocation uuid     NOT NULL,
    attempt    integer  NOT NULL,
    seq        integer  NOT NULL,
    source     bigint   NOT NULL,
    time       bigint   NOT NULL,
    stream     smallint NOT NULL,
    text       bytea    NOT NULL,
    PRIMARY KEY (invocation, attempt, seq)
);
CREATE INDEX logs_source ON logs (source, time);

-- Kind: 0 secret, 1 config. Data: a JSON object.
CREATE TABLE configs (
    kind       smallint NOT NULL,
    namespace  text     COLLATE "C" NOT NULL,
    name       text     COLLATE "C" NOT NULL,
    data       text     NOT NULL,
    updated_at bigint   NOT NULL,
    PRIMARY KEY (kind, namespace, name)
);

-- One row, written by the readiness check.
CREATE TABLE heartbeat (
    id smallint PRIMARY KEY CHECK (id = 1),
    at bigint   NOT NULL
);
