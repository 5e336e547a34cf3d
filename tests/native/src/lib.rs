//! The whole server in one process, natively and deterministically.
//!
//! [`TestServer`] runs the API and all objects over SQLite in memory, on one thread, with a clock
//! that only moves when told and a seeded scheduler: the same seed gives the same interleaving of
//! requests and background work. Nothing ever really sleeps. Open [`server`] next, or a test in
//! `tests/` for how it reads.

pub mod bridge;
pub mod client;
pub mod crypto;
pub mod host;
pub mod kept;
pub mod ports;
pub mod reply;
pub mod scheduler;
pub mod server;

pub use client::Client;
pub use reply::{Reply, SyncBody};
pub use server::{Options, TestServer};
