//! The system as people get it: the real binary, real clients.
#![cfg(test)]

mod auth;
mod bad_input;
mod chaos;
mod cli;
mod containers;
mod contract;
mod examples;
mod faults;
mod figures;
mod fn_url;
mod grpc;
mod grpcurl;
mod health;
mod hostile;
mod idempotency;
mod local_stack;
mod observability;
mod outages;
mod power_cut;
mod replicas;
mod rest_data;
mod rest_functions;
mod rest_invocations;
mod streams;
mod unguarded;
