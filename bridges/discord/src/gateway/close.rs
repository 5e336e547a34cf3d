//! What Discord's close codes mean
//! ([docs](https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes)).

use serde::{Deserialize, Serialize};

/// Why there will be no connection until somebody changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fatal {
    /// 4004: the token is wrong.
    Token,
    /// 4010 to 4011: the bot is in more servers than one connection may serve.
    Shards,
    /// 4012: the version of the gateway is no more.
    Version,
    /// 4013: an intent that Discord does not know.
    UnknownIntent,
    /// 4014: an intent that is not switched on in the developer portal.
    DisallowedIntent,
}

impl Fatal {
    /// The meaning of a close code; `None` when a new connection may work.
    pub(super) fn of(code: u16) -> Option<Self> {
        match code {
            4004 => Some(Self::Token),
            4010 | 4011 => Some(Self::Shards),
            4012 => Some(Self::Version),
            4013 => Some(Self::UnknownIntent),
            4014 => Some(Self::DisallowedIntent),
            _ => None,
        }
    }

    /// What to tell the owner.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Token => "Discord does not accept the bot's token any more: connect again with a new one.",
            Self::Shards => "The bot is in more servers than one connection may serve.",
            Self::Version => "Discord has switched off the version of its gateway that this bridge speaks.",
            Self::UnknownIntent => "Discord does not know what this bridge asks for.",
            Self::DisallowedIntent => {
                "The bot may not read messages: switch on “Message Content Intent” under “Bot” in \
                 Discord's developer portal, then connect again."
            }
        }
    }
}

/// Whether the session is lost: 4007 (a wrong sequence number) and 4009 (it timed out).
pub(super) fn ends_session(code: u16) -> bool {
    matches!(code, 4007 | 4009)
}
