-- Counts of ended calls over time are answered from the index alone.
DROP INDEX IF EXISTS invocations_ended;
CREATE INDEX IF NOT EXISTS invocations_ended ON invocations (namespace, name, ended_at, state, start, run_micros)
    WHERE ended_at IS NOT NULL;
