//! One test a bullet of the public suite, one file an area: over HTTP, against the homeserver that
//! `HUBBUB_CONFORMANCE_URL` names. Each test makes its own accounts and rooms, so that all may run at once and again.
//!
//! The `Suite:` line above a test is the bullet's name; `cargo run -p hubbub-conformance --bin coverage` counts them.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod account;
mod account_data;
mod aliases;
mod ban_and_kick;
mod canonical_alias;
mod capabilities;
mod cross_signing;
mod departed_rooms;
mod device_lists;
mod devices;
mod direct_messages;
mod event_size;
mod event_visibility;
mod filters;
mod forgetting;
mod invites;
mod jump_to_date;
mod key_backup;
mod keys;
mod knocking;
mod login;
mod logout;
mod media;
mod media_names;
mod membership;
mod messages;
mod power_levels;
mod presence;
mod profile;
mod public_rooms;
mod push_rules;
mod pushers;
mod receipts;
mod redaction;
mod registration;
mod relations;
mod request_encoding;
mod restricted_rooms;
mod room_creation;
mod room_members;
mod room_state;
mod room_upgrade;
mod room_version_12;
mod search;
mod spaces;
mod sync_joined_rooms;
mod sync_left_rooms;
mod threaded_receipts;
mod threads;
mod to_device;
mod transactions;
mod typing;
mod unknown_endpoints;
mod url_preview;
mod user_directory;
