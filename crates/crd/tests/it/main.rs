#![cfg(test)]
//! The custom resource as others see it.

mod conversions;
mod rules;
mod schema;
