-- Blobs that are whole. `previous` is the content that the last write under this key took the place of.
CREATE TABLE eventflow_blobs (
    key text COLLATE "C" PRIMARY KEY,
    content uuid NOT NULL,
    previous uuid,
    size bigint NOT NULL,
    -- Written or touched; microseconds since 1970 by the server's clock.
    modified_at bigint NOT NULL
);

-- Contents that are being written. Nobody sees them.
CREATE TABLE eventflow_blob_uploads (
    content uuid PRIMARY KEY,
    alive_at bigint NOT NULL
);
CREATE INDEX eventflow_blob_uploads_alive_at ON eventflow_blob_uploads (alive_at);

CREATE TABLE eventflow_blob_chunks (
    content uuid NOT NULL,
    number integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (content, number)
);
-- Payloads are often compressed already, and reading them must not cost the server's time.
ALTER TABLE eventflow_blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
