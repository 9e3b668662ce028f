-- How many of its slots a worker used when it last asked: what autoscaling goes by.
ALTER TABLE slots ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
