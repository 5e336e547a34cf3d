//! The only SQL of Hubbub, behind two ports, and a third for bytes.
//!
//! [`database`] is the port for what one Durable Object owns: a synchronous SQLite whose every
//! write happens inside one transaction. [`directory`] is the port for D1, the relational model of
//! the whole server, [`blobs`] the port for R2. The modules named after an object (`room`, `user`, …) hold that object's
//! schema and queries as plain functions over the port.
//!
//! Open [`schema`] next to see how an object's tables are made and migrated.

pub mod appservice;
pub mod blobs;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod database;
pub mod directory;
pub mod keys;
pub mod login;
#[cfg(feature = "native")]
pub mod native;
#[cfg(feature = "native")]
pub mod native_blobs;
pub mod portal;
pub mod room;
pub mod schema;
pub mod search;
pub mod user;
