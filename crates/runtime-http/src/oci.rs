//! The image of a function that runs in containers, wherever those are.

use eventflow_domain::spec::{FunctionSpec, Image};
use eventflow_domain::{Error, Result};

/// `Invalid` at `image` where it is no OCI image.
pub fn check(spec: &FunctionSpec) -> Result<()> {
    match &spec.image {
        Some(Image::Oci(_)) => Ok(()),
        Some(Image::Artifact(_)) => {
            Err(Error::invalid("image", "must be an OCI image with runtime container, not an artifact"))
        }
        None => Err(Error::invalid("image", "must name the OCI image to run")),
    }
}
