//! The whole server on workerd, over HTTP: what native tests cannot prove, since it is made of many objects, requests
//! at once, alarms, sleeping objects, and Slack at the other end.
//!
//! All tests may run at once and again: each makes its own accounts, rooms and Slack workspace. Those that count what
//! is billed, or break everything, take turns on a server of their own (`Server::alone`).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by a panic, and indexing JSON by name gives null where there is nothing"
)]

mod appservices;
mod budgets;
mod faults;
mod holes;
mod holes_in_sync;
mod media;
mod pages;
mod push;
mod rooms;
mod sends;
mod slack;
mod slack_answers;
mod slack_bad_input;
mod slack_changes;
mod slack_files;
mod slack_logins;
mod slack_management;
mod waiting;
