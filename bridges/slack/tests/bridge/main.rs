//! The Slack bridge against a Slack and a homeserver in memory.
//!
//! [`world`] holds everything that is not under test and can crash at any failpoint; each other
//! module is an area of the bridge.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod homeserver;
mod log;
mod slack;
mod world;

mod at_home;
mod catch_up;
mod changes_from_matrix;
mod changes_from_slack;
mod connecting;
mod emoji;
mod faults;
mod files;
mod from_matrix;
mod from_slack;
mod hooks;
mod management;
mod portals;
mod progress;
