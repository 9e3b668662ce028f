#![cfg(test)]

mod in_memory;
mod nothing_is_lost;
