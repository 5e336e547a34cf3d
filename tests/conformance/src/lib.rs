//! A small Matrix client for black-box tests of a homeserver, over plain HTTP.
//!
//! Start with [`Homeserver`] (where the server under test comes from) and [`User`] (what one account can do);
//! [`Call`] builds one request, [`Answer`] is what came back, [`SyncCall`] and [`SyncAnswer`] are the same for
//! `/sync`. The tests themselves are in `tests/suite/`, one file an area; [`pages`] and [`coverage`] count which
//! of the public suite's bullets they cover, [`runner`] compares a run with the differences known of a peer.
//!
//! Everything here panics when the server does not do what a test needs: each message prints the request, the
//! status and the body. Access tokens are never printed.

#![expect(clippy::panic, reason = "a test fails by a panic, and the message is made here")]
#![expect(clippy::indexing_slicing, reason = "indexing JSON by name gives null where there is nothing")]

mod answer;
mod call;
pub mod coverage;
mod homeserver;
pub mod pages;
pub mod runner;
mod signing;
mod sync;
mod user;

pub use answer::Answer;
pub use call::Call;
pub use homeserver::{Homeserver, random_name};
pub use signing::SigningKey;
pub use sync::{SyncAnswer, SyncCall, events, shows_member};
pub use user::User;
