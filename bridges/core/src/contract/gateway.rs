//! What a login and the object that holds its network's connection say to each other.

use serde::{Deserialize, Serialize};

use super::Secret;

/// What the connection has to say to its login. With another token's generation it is refused: that connection is of
/// the past.
#[derive(Debug, Serialize, Deserialize)]
pub enum GatewayCommand {
    /// What a connection starts from. → `Option<GatewayOpening>`: `None` while there is nothing to connect for
    Open,
    /// What the network says about connecting now, as [`Network::connecting`](crate::network::Network::connecting)
    /// returns it. → `Option<String>`: `None` when it says nothing
    Ask {
        /// The token's.
        generation: i64,
    },
    /// Keeps this. → `()`
    Save {
        /// The token's.
        generation: i64,
        /// Opaque to the login.
        saved: String,
    },
    /// An event, stored before this answers together with what is to be kept; repeating is harmless. → `()`
    Event {
        /// The token's.
        generation: i64,
        /// The session that it was told in.
        session: String,
        /// Its number there, which grows.
        seq: i64,
        /// Opaque to the login.
        saved: String,
        /// The event, as [`Network::read_hook`](crate::network::Network::read_hook) takes it.
        body: String,
    },
    /// The network tells again. → `()`
    Online {
        /// The token's.
        generation: i64,
        /// Whether nothing of an earlier session comes any more: what was said in between has to be read.
        fresh: bool,
    },
    /// There will be no connection until the owner does something. → `()`
    Stop {
        /// The token's.
        generation: i64,
        /// Why, and what to do, as a sentence.
        why: String,
    },
}

/// The answer to [`GatewayCommand::Open`].
#[derive(Debug, Serialize, Deserialize)]
pub struct GatewayOpening {
    /// The token.
    pub token: Secret,
    /// Which token it is.
    pub generation: i64,
    /// What was to be kept last.
    pub saved: Option<String>,
}

/// What the object that holds a login's connection can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum ListenCommand {
    /// Connects with the token of this generation, if it is not connected with it already. → `()`
    Start {
        /// The token's.
        generation: i64,
    },
    /// Hangs up for good. → `()`
    Stop,
    /// Does outstanding work; from Cron. → `()`
    Poke,
}
