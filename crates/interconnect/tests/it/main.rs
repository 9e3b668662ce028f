#![cfg(test)]
//! Both ends over real sockets, with an invoker that plays a dispatcher.

mod calls;
mod passed;
mod world;
