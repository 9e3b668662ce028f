-- Times are microseconds since the Unix epoch (UTC), ids 16 bytes of a UUID.
-- State: 0 QUEUED, 1 RUNNING, 2 RETRYING, 3 SUCCEEDED, 4 FAILED, 5 CANCELLED; "state < 3" is a live call.
-- Kind of a body: 0 none, 1 inline in the row, 2 a key of the blob store, 3 inline in the table bodies.
-- Start: 0 cold, 1 warm.

CREATE TABLE functions (
    namespace  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    uid        BLOB    NOT NULL,
    generation INTEGER NOT NULL CHECK (generation > 0),
    version    INTEGER NOT NULL CHECK (version > 0),
    spec       TEXT    NOT NULL,
    paused     INTEGER NOT NULL,
    deleting   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX functions_uid ON functions (uid);

-- Outlives the function, so that a function made anew goes on numbering.
CREATE TABLE numbering (
    namespace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) WITHOUT ROWID;

CREATE TABLE versions (
    uid        BLOB    NOT NULL,
    number     INTEGER NOT NULL CHECK (number > 0),
    namespace  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    spec       TEXT    NOT NULL,
    blob       TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    PRIMARY KEY (uid, number)
) WITHOUT ROWID;
CREATE INDEX versions_blob ON versions (blob) WHERE blob IS NOT NULL;

CREATE TABLE invocations (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    namespace         TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    function_uid      BLOB    NOT NULL,
    version           INTEGER NOT NULL CHECK (version > 0),
    source            TEXT    NOT NULL,
    caller            TEXT    NOT NULL,
    replay_of         BLOB,
    trace             BLOB    NOT NULL,
    state             INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    epoch             INTEGER NOT NULL,
    attempts          INTEGER NOT NULL,
    lost              INTEGER NOT NULL,
    not_before        INTEGER NOT NULL,
    cancel_requested  INTEGER NOT NULL,
    dead_letter       INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    started_at        INTEGER,
    ended_at          INTEGER,
    reason            TEXT,
    message           TEXT,
    retry_after       INTEGER,
    http_status       INTEGER,
    logs_truncated    INTEGER NOT NULL,
    worker            TEXT,
    lease_until       INTEGER,
    start             INTEGER,
    run_micros        INTEGER,
    -- Publishes at this epoch, and the last of them.
    publishes         INTEGER NOT NULL DEFAULT 0,
    last_published_at INTEGER NOT NULL DEFAULT 0,
    payload_size      INTEGER NOT NULL,
    payload_type      TEXT,
    result_size       INTEGER NOT NULL,
    result_type       TEXT,
    payload_kind      INTEGER NOT NULL,
    payload           BLOB,
    result_kind       INTEGER NOT NULL,
    result            BLOB,
    -- Exactly the ended calls have an end.
    CHECK ((state < 3) = (ended_at IS NULL))
) WITHOUT ROWID;
CREATE INDEX invocations_function ON invocations (namespace, name);
CREATE INDEX invocations_live ON invocations (namespace, name, state, function_uid, created_at, not_before)
    WHERE state < 3;
CREATE INDEX invocations_leased ON invocations (lease_until) WHERE state = 1;
CREATE INDEX invocations_ended ON invocations (namespace, name, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX invocations_dead ON invocations (namespace, name) WHERE dead_letter = 1;
CREATE INDEX invocations_replays ON invocations (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX invocations_payload_blob ON invocations (payload) WHERE payload_kind = 2;
CREATE INDEX invocations_result_blob ON invocations (result) WHERE result_kind = 2;

-- Bodies too large to be rewritten with every change of their record. Part: 0 payload, 1 result.
CREATE TABLE bodies (
    invocation BLOB    NOT NULL,
    part       INTEGER NOT NULL,
    bytes      BLOB    NOT NULL,
    PRIMARY KEY (invocation, part)
);

CREATE TABLE attempts (
    invocation  BLOB    NOT NULL,
    number      INTEGER NOT NULL CHECK (number > 0),
    epoch       INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    worker      TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    start       INTEGER,
    outcome     INTEGER,
    exit_code   INTEGER,
    reason      TEXT,
    message     TEXT,
    retry_after INTEGER,
    PRIMARY KEY (invocation, number)
) WITHOUT ROWID;

-- AUTOINCREMENT: a seq is never used again, so a late "published" cannot take away a newer row.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    invocation BLOB    NOT NULL UNIQUE,
    due_at     INTEGER NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at, seq);

CREATE TABLE idempotency (
    scope        TEXT    NOT NULL PRIMARY KEY,
    payload_hash BLOB    NOT NULL,
    invocation   BLOB    NOT NULL,
    expires_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_invocation ON idempotency (invocation);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE log_sources (
    id        INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    UNIQUE (namespace, name)
);

-- Stream: 0 stdout, 1 stderr, 2 system.
CREATE TABLE logs (
    invocation BLOB    NOT NULL,
    attempt    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    source     INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    stream     INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    PRIMARY KEY (invocation, attempt, seq)
) WITHOUT ROWID;
CREATE INDEX logs_source ON logs (source, time);

-- Kind: 0 secret, 1 config. Data: a JSON object.
CREATE TABLE configs (
    kind       INTEGER NOT NULL,
    namespace  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    data       TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;

-- One row, written by the readiness check.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
);
