#![cfg(test)]

mod fake;
mod functions;
mod grpc;
mod invoke;
mod rest;
mod routes;
mod server;
mod streams;
