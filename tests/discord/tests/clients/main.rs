//! The fake Discord proved by serenity's own gateway client, and our gateway machine and calls proved on the fake.
//!
//! They need Node (20 or newer) on the path. Nothing leaves the machine.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod fake;
mod ours;
mod serenity_client;
