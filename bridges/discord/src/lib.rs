//! The Discord bridge.
pub mod convert;
pub mod gateway;
pub mod remote_id;
