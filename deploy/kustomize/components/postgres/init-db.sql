-- Makes the role and the database of EventFlow; run again, it changes nothing but the password. As a superuser:
--   psql -v password="$PASSWORD" -f scripts/init-db.sql
-- Further variables: role (eventflow), database (eventflow). The tables are made by the first process that starts.
\set ON_ERROR_STOP on
\if :{?role} \else \set role eventflow \endif
\if :{?database} \else \set database eventflow \endif

SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :'role') \gexec

\if :{?password}
SELECT format('ALTER ROLE %I PASSWORD %L', :'role', :'password') \gexec
\endif

-- Its owner, so that it may make tables in the schema public (PostgreSQL 15 and newer).
SELECT format('CREATE DATABASE %I OWNER %I ENCODING %L TEMPLATE template0', :'database', :'role', 'UTF8')
WHERE NOT EXISTS (SELECT 1 FROM pg_database WHERE datname = :'database') \gexec

-- Nobody else but superusers.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database') \gexec
SELECT format('GRANT ALL ON DATABASE %I TO %I', :'database', :'role') \gexec

-- An answered call is on disk: EventFlow refuses to start with less.
SELECT format('ALTER ROLE %I IN DATABASE %I SET synchronous_commit = %L', :'role', :'database', 'on') \gexec
