//! The ports of the core over the platform's bindings. Every billable call is made here, and counted
//! ([`crate::operations`]).

pub mod blobs;
pub mod clock;
pub mod database;
pub mod directory;
pub mod failpoints;
pub mod homeserver;
pub mod http;
pub mod objects;
pub mod random;
pub mod rate_limiter;
pub mod sockets;
pub mod values;
