//! The room engine behind its ports: appending, memberships, visibility, delivery, rebuilding.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod appending;
mod delivery;
mod federating;
mod reading;
mod rebuilding;
mod support;
