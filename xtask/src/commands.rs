//! The subcommands, one file each. [`run`] is the one to read first.

pub mod appservice;
pub mod bench;
pub mod bridge;
pub mod build;
pub mod conformance;
pub mod deploy;
pub mod owner_link;
pub mod rebuild_room;
pub mod rebuild_search;
pub mod run;
pub mod size;
pub mod soak;
pub mod test;
pub mod wrangler;
