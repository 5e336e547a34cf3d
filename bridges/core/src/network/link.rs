//! How a person of a network says which Matrix user they are, where the login itself is a bot.

/// Where the answer goes to who typed a code in an event of the connection.
#[derive(Clone, PartialEq, Eq)]
pub enum LinkReply {
    /// Into this chat.
    Chat(String),
    /// To this interaction: a secret for some minutes.
    Interaction(String),
}

/// Somebody typed a code.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkAttempt {
    /// Who, by the network's id.
    pub person: String,
    /// Their name.
    pub name: String,
    /// What they typed: a secret until it is used.
    pub code: String,
    /// Where the answer goes; `None` for a hook, which is answered itself.
    pub reply: Option<LinkReply>,
}

impl std::fmt::Debug for LinkAttempt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LinkAttempt").field("person", &self.person).finish_non_exhaustive()
    }
}
