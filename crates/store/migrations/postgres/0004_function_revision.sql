-- The number of the last change of the declared functions. Whoever was told a number sees that change, and all before
-- it, once it has heard the news of that number.
CREATE TABLE function_revision (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    value bigint  NOT NULL
);
INSERT INTO function_revision (value) VALUES (0);

CREATE FUNCTION eventflow_function_revision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
BEGIN
    UPDATE function_revision SET value = value + 1 RETURNING value INTO next;
    PERFORM pg_notify('eventflow_functions', 'revision ' || next);
    RETURN NULL;
END $$;

-- At the commit, when every other lock is held: changes are numbered in the order in which they are seen, and the one
-- row that all of them write is never waited for by who holds what another one needs.
CREATE CONSTRAINT TRIGGER eventflow_function_revision AFTER INSERT OR UPDATE OR DELETE ON functions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION eventflow_function_revision();
