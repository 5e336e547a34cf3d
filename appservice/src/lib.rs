//! Application services: third-party bridges over HTTP and the bundled ones in process.
//!
//! - [`registration`] reads a registration file and refuses a bad one; [`namespaces`] matches users,
//!   aliases and rooms.
//! - [`registry`] is what rooms and the API ask (`context.appservices`), and what the operator's
//!   endpoints change; [`builtin`] describes the bundled bridges, whose tokens are derived and never
//!   stored.
//! - [`object`] is the AppserviceObject: the durable queue of transactions. [`in_process`] is how a
//!   bundled bridge receives them.
//! - [`thirdparty`] asks what bridges know of their networks.
//! - [`intent`] is the way back: a bundled bridge's client of our own client-server API.
//!
//! Open [`object`] next to see how an event leaves, [`intent`] to see how one comes in.

pub mod builtin;
pub mod endpoint;
pub mod in_process;
pub mod intent;
pub mod namespaces;
pub mod object;
mod overlap;
pub mod registration;
pub mod registry;
pub mod thirdparty;
mod tokens;
