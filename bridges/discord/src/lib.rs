//! The Discord bridge.
pub mod gateway;
