//! A small client that loads a server for `cargo xtask bench` and `cargo xtask soak` without loading the machine: blocking
//! keep-alive connections, one a thread, and nothing parsed that nobody asks for.
//!
//! Open [`stage`] for what is set up, [`user`] for the requests, [`device`] for a client that must miss nothing.

pub mod connection;
pub mod device;
pub mod fake_slack;
pub mod operations;
pub mod random;
pub mod stage;
pub mod user;
