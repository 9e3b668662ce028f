# Run once by the image of PostgreSQL, when its data is made: the role and the database, as scripts/init-db.sql has them.
psql --no-psqlrc --username "$POSTGRES_USER" --dbname postgres --file /docker-entrypoint-initdb.d/sql/init-db.sql \
    --variable "password=$EVENTFLOW_PASSWORD"
