-- Slots of functions with a limit of concurrency, leased to workers.
CREATE TABLE IF NOT EXISTS slots (
    function_uid BLOB    NOT NULL,
    worker       TEXT    NOT NULL,
    wanted       INTEGER NOT NULL,
    granted      INTEGER NOT NULL,
    until        INTEGER NOT NULL,
    PRIMARY KEY (function_uid, worker)
) WITHOUT ROWID;
