//! The UserSyncObject, natively: its account, its inbox and `/sync`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod account;
mod account_data;
mod costs;
mod create_room;
mod interleavings;
mod profile;
mod push_rules;
mod room;
mod support;
mod sync;
mod sync_membership;
mod tokens;
mod unread;
