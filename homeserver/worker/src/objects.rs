//! The Durable Object classes. Each is a core object in a [`shell`]; [`user_sync`] also parks polls.

pub mod abort;
pub mod appservice;
pub mod gateway;
pub mod login;
pub mod portal;
pub mod reply;
pub mod room;
pub mod shell;
pub mod storage_probe;
pub mod user_keys;
pub mod user_sync;
