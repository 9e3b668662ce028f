#![cfg(test)]

mod in_memory;
mod jetstream;
mod nothing_is_lost;
