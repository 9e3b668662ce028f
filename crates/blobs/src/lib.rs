//! Adapters of the port [`Blobs`](eventflow_domain::ports::Blobs): artifacts, large payloads and large results.
//!
//! ```text
//!   put ──parts──▶ a staged file ──sync, rename──▶ payloads/<id> · results/<id> · artifacts/<sha-256>
//!                     │ dropped, broken off, too large
//!                     ▼
//!                   removed (at the latest by the next open)
//! ```

pub mod folder;
mod key;

pub use folder::{FolderBlobs, Options};
