#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "servers and connections that live as long as their test")]
//! Both ends over real sockets, with an invoker that plays a dispatcher.

mod calls;
mod passed;
mod world;
