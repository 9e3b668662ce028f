//! Adapters of the port [`Blobs`](eventflow_domain::ports::Blobs): artifacts, large payloads and large results.
//!
//! ```text
//!               ┌─ FolderBlobs    a staged file ──sync, rename──▶ payloads/<id> · results/<id> · artifacts/<sha-256>
//!   put ─parts─▶├─ S3Blobs        an upload ──complete──▶ <key>/G<generation>
//!               └─ PostgresBlobs  chunks ──commit──▶ a row under the key
//!                     │ dropped, broken off, too large
//!                     ▼
//!                   removed: at once, or by age
//! ```
//!
//! Which one to choose, and what each needs: `docs/blobs.md`.

mod body;
mod detached;
mod errors;
pub mod folder;
mod key;
pub mod postgres;
pub mod s3;

pub use folder::{FolderBlobs, Options};
pub use postgres::PostgresBlobs;
pub use s3::{S3Blobs, S3Config};
