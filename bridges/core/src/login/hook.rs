//! The network's requests: verified, stored, and only then acknowledged.

use hubbub_core::error::Result;
use hubbub_storage::{
    database::transaction,
    login::{self as store, Waiting},
};

use super::LoginObject;
use crate::{
    contract::{Hook, HookAnswer, LoginState},
    failpoints,
    network::{HookBody, HookEvent, HookKind},
};

/// The inbound log is filed by minutes of the network's own clock, which are the same in each retry
/// of an event.
pub(super) const BUCKET_SECONDS: i64 = 60;

fn refused(status: u16, sentence: impl Into<String>) -> HookAnswer {
    HookAnswer::Refused(status, sentence.into())
}

impl LoginObject {
    /// Answers a request to the login's hook.
    pub(super) async fn take_hook(&self, hook: &Hook) -> Result<HookAnswer> {
        let Some(row) = self.row.borrow().clone() else {
            return Ok(refused(404, "There is no such login."));
        };
        let state = LoginState::from(row.state.as_str());
        if let (LoginState::Forwarding, Some(login_id)) = (state, row.forward_to) {
            return Ok(HookAnswer::Forward(login_id));
        }
        let Some(secrets) = self.secrets()? else {
            let sentence = match state {
                LoginState::Disconnected => "This login was disconnected.",
                _ => {
                    "This login has no secrets yet: run `connect finish` first, then let \
                     the address be verified again."
                }
            };
            return Ok(refused(403, sentence));
        };
        let verified = self.network.verify(&secrets.signing_secret.0, hook, self.now());
        if let Err(sentence) = verified {
            self.count(|counters| counters.refused = counters.refused.saturating_add(1));
            return Ok(refused(401, sentence));
        }
        match self.network.read_hook(&hook.body) {
            HookBody::Challenge(challenge) => Ok(HookAnswer::Challenge(challenge)),
            HookBody::RateLimited => {
                self.count(|counters| {
                    counters.rate_limited = counters.rate_limited.saturating_add(1);
                });
                Ok(HookAnswer::Accepted)
            }
            HookBody::Malformed(sentence) => {
                self.count(|counters| counters.malformed = counters.malformed.saturating_add(1));
                Ok(refused(400, sentence))
            }
            HookBody::Answer(answer) => Ok(HookAnswer::Json(answer)),
            HookBody::Link(attempt) => {
                let text = self.try_link(&attempt, |_| Ok(()))?;
                Ok(HookAnswer::Json(self.network.link_answer(&text)))
            }
            HookBody::Event(event) => self.take_event(event, &hook.body).await,
        }
    }

    async fn take_event(&self, event: HookEvent, body: &str) -> Result<HookAnswer> {
        let row = self.row()?;
        let ours = event.teams.is_empty() || event.teams.iter().any(|team| Some(team) == row.team.as_ref());
        if !ours {
            self.count(|counters| {
                counters.unknown_workspace = counters.unknown_workspace.saturating_add(1);
            });
            let sentence = format!("This login belongs to another {}.", self.facts().words.team);
            return Ok(refused(403, sentence));
        }
        match &event.kind {
            HookKind::ForChannel { .. } => self.store_event(&event, body).await,
            HookKind::Revoked { accounts, reason } => {
                let concerns =
                    accounts.is_empty() || accounts.iter().any(|account| Some(account) == row.remote_user.as_ref());
                if concerns {
                    self.token_refused(reason, row.generation)?;
                }
                Ok(HookAnswer::Accepted)
            }
            HookKind::ChannelChanged { channel } => {
                // What fails now is made up for within the hour.
                if let Err(error) = self.refresh_channel(channel).await {
                    tracing::info!(login.id = %self.login_id, "A channel was not described: {error}");
                }
                Ok(HookAnswer::Accepted)
            }
            HookKind::ChannelRenamed { old, new } => {
                self.rename_channel(old, new).await?;
                Ok(HookAnswer::Accepted)
            }
            HookKind::PersonChanged { person, profile } => {
                self.change_person(person, profile).await?;
                Ok(HookAnswer::Accepted)
            }
            HookKind::EmojiChanged { keys } => {
                self.forget_emoji(keys)?;
                Ok(HookAnswer::Accepted)
            }
            HookKind::NotBridged | HookKind::PlaceChanged { .. } | HookKind::PersonLeft { .. } => {
                self.count(|counters| {
                    counters.not_bridged = counters.not_bridged.saturating_add(1);
                });
                Ok(HookAnswer::Accepted)
            }
            HookKind::Other => {
                self.count(|counters| {
                    counters.unknown_type = counters.unknown_type.saturating_add(1);
                });
                Ok(HookAnswer::Accepted)
            }
        }
    }

    /// Whether anybody has a use for an event of this channel.
    pub(super) fn is_wanted(&self, event: &HookEvent) -> Result<bool> {
        let HookKind::ForChannel { channel, kind, opens } = &event.kind else {
            return Ok(false);
        };
        if let Some(portal) = self.portals.borrow().get(channel) {
            return Ok(portal.active);
        }
        // The app may be installed by others too: their private chats are none of this login's.
        let row = self.row()?;
        let for_this_account = event.account.is_none() || event.account == row.remote_user;
        let private = kind.is_some_and(crate::contract::ChannelKind::is_private_chat);
        Ok(private && *opens && for_this_account)
    }

    async fn store_event(&self, event: &HookEvent, body: &str) -> Result<HookAnswer> {
        let HookKind::ForChannel { channel, .. } = &event.kind else {
            return Ok(HookAnswer::Accepted);
        };
        if !self.is_wanted(event)? {
            self.count(|counters| counters.dropped = counters.dropped.saturating_add(1));
            return Ok(HookAnswer::Accepted);
        }
        let waiting = Waiting {
            bucket: event.at.div_euclid(BUCKET_SECONDS),
            event_id: event.event_id.clone(),
            channel: channel.clone(),
        };
        let now = self.now();
        let stored = transaction(self.database.as_ref(), |transaction| {
            let fresh = store::insert_event(transaction, &waiting, body)?;
            if fresh {
                self.alarm.arm(transaction, now)?;
            }
            Ok::<bool, hubbub_core::error::MatrixError>(fresh)
        })
        .inspect_err(|_| self.alarm.forget())?;
        if !stored {
            self.count(|counters| counters.duplicates = counters.duplicates.saturating_add(1));
            return Ok(HookAnswer::Accepted);
        }
        self.heard()?;
        self.count(|counters| counters.accepted = counters.accepted.saturating_add(1));
        self.remember_waiting(waiting);
        self.context.failpoints.pass(failpoints::LOGIN_AFTER_HOOK).await;
        Ok(HookAnswer::Accepted)
    }
}
