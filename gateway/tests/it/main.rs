#![cfg(test)]

mod downloads;
mod fake;
mod functions;
mod grpc;
mod invoke;
mod remote;
mod rest;
mod routes;
mod server;
mod spans;
mod streams;
mod ui;
