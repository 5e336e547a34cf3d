//! How the owner of a login says who they are at a network where the login itself is a bot.

use serde::{Deserialize, Serialize};

use super::Secret;

/// What a login can be asked about its owner's own person.
#[derive(Debug, Serialize, Deserialize)]
pub enum LinkingCommand {
    /// Lets this code say for ten minutes, and once, who the owner is; in place of an earlier one. → `()`
    Code {
        /// The code ([`crate::link_code`]).
        code: Secret,
    },
    /// Forgets who the owner is; whether anybody was known. → `bool`
    Unlink,
}
