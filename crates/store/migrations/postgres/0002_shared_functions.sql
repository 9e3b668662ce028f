-- Processes that report readiness, and when each was last heard.
CREATE TABLE workers (
    name    text        COLLATE "C" PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

CREATE TABLE readiness (
    uid       uuid    NOT NULL,
    worker    text    COLLATE "C" NOT NULL REFERENCES workers ON DELETE CASCADE,
    version   integer NOT NULL,
    readiness text    NOT NULL,
    PRIMARY KEY (uid, worker)
);
CREATE INDEX readiness_worker ON readiness (worker);

-- Every writer tells, whichever program it is: "changed <namespace>/<name>", "reported <uid>" or "resync".
CREATE FUNCTION eventflow_function_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('eventflow_functions', 'resync');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('eventflow_functions', 'changed ' || OLD.namespace || '/' || OLD.name);
        IF TG_OP = 'DELETE' OR OLD.uid <> NEW.uid THEN
            DELETE FROM readiness WHERE uid = OLD.uid;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        -- The same twice in a transaction is told once.
        PERFORM pg_notify('eventflow_functions', 'changed ' || NEW.namespace || '/' || NEW.name);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER eventflow_function_changed AFTER INSERT OR UPDATE OR DELETE ON functions
    FOR EACH ROW EXECUTE FUNCTION eventflow_function_changed();
CREATE TRIGGER eventflow_functions_truncated AFTER TRUNCATE ON functions
    FOR EACH STATEMENT EXECUTE FUNCTION eventflow_function_changed();

CREATE FUNCTION eventflow_readiness_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('eventflow_functions', 'reported ' || NEW.uid);
    RETURN NULL;
END $$;

CREATE TRIGGER eventflow_readiness_changed AFTER INSERT OR UPDATE ON readiness
    FOR EACH ROW EXECUTE FUNCTION eventflow_readiness_changed();
