//! One test a bullet of the public suite, one file an area: over HTTP, against the homeserver that
//! `HUBBUB_CONFORMANCE_URL` names. Each test makes its own accounts and rooms, so that all may run at once and again.
//!
//! The `Suite:` line above a test is the bullet's name; `cargo run -p hubbub-conformance --bin coverage` counts them.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod account_data;
mod aliases;
mod ban_and_kick;
mod canonical_alias;
mod capabilities;
mod departed_rooms;
mod event_size;
mod event_visibility;
mod filters;
mod forgetting;
mod invites;
mod login;
mod logout;
mod membership;
mod messages;
mod power_levels;
mod profile;
mod push_rules;
mod receipts;
mod redaction;
mod registration;
mod request_encoding;
mod room_creation;
mod room_members;
mod room_state;
mod search;
mod sync_joined_rooms;
mod sync_left_rooms;
mod threaded_receipts;
mod transactions;
mod typing;
mod user_directory;
