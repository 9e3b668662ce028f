//! Validation at admission: what CEL cannot say, in the words of the domain's own rules, while `kubectl apply` waits.
//!
//! The operator brings its own certificates: made by itself, shared by its replicas in a Secret, renewed long before
//! they end. It serves its metrics with them too.

mod authorized;
mod certificates;
mod review;
mod server;

pub use authorized::authorized;
pub use certificates::{Certificates, Pair, Renewal};
pub use review::router;
pub use server::serve;
