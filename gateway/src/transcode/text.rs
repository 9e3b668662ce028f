//! The API's JSON for those who are not behind a port: the CLI reads manifests and prints answers by it, so that a
//! file and a request are judged the same.

use super::{read, write};
use crate::problem::Problem;
use prost_reflect::{DynamicMessage, MessageDescriptor};

/// Reads JSON as a message: unknown and duplicate fields, wrong types and bad enums are named by their path.
pub fn read_json(json: &[u8], of: &MessageDescriptor) -> Result<DynamicMessage, Problem> {
    read::message(json, of)
}

/// Writes a message as REST answers it.
pub fn write_json(message: &DynamicMessage) -> Vec<u8> {
    let mut out = Vec::new();
    write::answer(message, None, &mut out);
    out
}
