-- Slots of functions with a limit of concurrency, leased to workers.
CREATE TABLE slots (
    function_uid uuid    NOT NULL,
    worker       text    COLLATE "C" NOT NULL,
    wanted       integer NOT NULL,
    granted      integer NOT NULL,
    until        bigint  NOT NULL,
    PRIMARY KEY (function_uid, worker)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
