//! The conversion between Slack and Matrix, construct by construct and in bulk.
//!
//! [`golden`] compares each construct with a file under `tests/golden`, and there and back.
//! [`shared_fixtures`] proves on recorded payloads that no text is lost, [`properties`] that no
//! input breaks anything. [`incoming`] and [`outgoing`] hold the rules that are no formatting.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod golden;
mod incoming;
mod outgoing;
mod people;
mod properties;
mod shared_fixtures;
