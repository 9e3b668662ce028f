//! The port `Runtime` over a Docker-compatible socket.
