//! The room engine behind its ports: appending, memberships, visibility, delivery, rebuilding.

mod appending;
mod delivery;
mod federating;
mod reading;
mod rebuilding;
mod support;
