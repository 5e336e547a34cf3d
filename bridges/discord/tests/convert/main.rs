//! The conversion between Discord and Matrix, construct by construct and in bulk.
//!
//! [`golden`] compares each construct with a file under `tests/golden`, and there and back.
//! [`shared_fixtures`] proves on recorded payloads that no text is lost, [`properties`] that no
//! input breaks anything. [`rules`] holds what is no formatting.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod golden;
mod people;
mod properties;
mod rules;
mod shared_fixtures;
