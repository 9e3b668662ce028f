//! The custom resource `functions.eventflow.io` and its conversions to and from the domain.
