//! What the tests of the whole server share: the servers under test, the operator's endpoints, a fake Slack and a
//! third party's appservice.
//!
//! Matrix clients come from `hubbub-conformance` ([`User`](hubbub_conformance::User)); what only this server has is
//! here. Start with [`Server`]; the tests are in `tests/suite/`, one file a subject. `cargo xtask test` starts the
//! servers and tells the tests where they are.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic, and indexing JSON by name gives null where there is nothing"
)]

mod admin;
mod appservice;
mod eventually;
mod http;
mod operations;
mod rooms;
mod server;
mod slack;

pub use appservice::{Received, Receiver};
pub use eventually::{eventually, settles};
pub use http::Reply;
pub use operations::Counts;
pub use rooms::{Room, bodies, ids};
pub use server::{Alone, Server};
pub use slack::{Portal, Workspace};
