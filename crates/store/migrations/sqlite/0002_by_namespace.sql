-- Lists of a whole namespace, newest first: with the primary key behind it, this is (namespace, id).
CREATE INDEX IF NOT EXISTS invocations_namespace ON invocations (namespace);
