//! An independent Matrix client that encrypts, matrix-sdk on `/sync`, against a homeserver: people verify each other, talk, and get
//! a lost device's messages back. The Node tests of `tests/support` do the same with matrix-js-sdk.
//!
//! `HOMESERVER_URL` names a server where anybody may register: `cargo xtask test --part matrix-sdk` starts one. It passes against
//! Synapse, so what fails is the server.

// The SDK's futures are deep.
#![recursion_limit = "256"]

mod attachments;
mod backup;
mod cross_signing;
mod leaving;
mod people;
mod talking;
mod verification;
