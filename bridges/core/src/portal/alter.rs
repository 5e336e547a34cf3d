//! Calls that change what is at the network: edits, deletions, reactions. Making one again does no harm, so an unknown
//! outcome is just tried again, and what comes back of it finds itself noted.

use hubbub_core::error::Result;
use hubbub_storage::portal::{
    self as store, MappedMessage, OutboundRow,
    changes::{self, DELETED, ReactionRow},
};
use serde_json::Value as Json;

use super::{
    PortalObject,
    outbound::{Next, Outgoing, Progress},
};
use crate::{
    contract::Access,
    failpoints,
    network::{Post, RemoteError, TransactionMark},
    pace::Rate,
};

/// How far the network's clock may be ahead of ours: what it says it did before that is older than our removal of a
/// reaction.
const CLOCK_SKEW_MS: i64 = 2_000;

/// A call that changes what is at the network.
pub(super) enum Call {
    /// Other words for a message.
    Edit(MappedMessage, Json),
    /// The end of a message.
    Delete(MappedMessage),
    /// The end of a file, whose message may be gone.
    DeleteFile(String),
    /// A reaction of the owner to a message, and what is known of it once it is there.
    React(String, ReactionRow),
    /// The end of a reaction of the owner.
    Unreact(String, ReactionRow),
}

impl Call {
    /// The message.
    pub(super) fn remote_id(&self) -> &str {
        match self {
            Self::Edit(message, _) | Self::Delete(message) => &message.remote_id,
            Self::DeleteFile(file_id) => file_id,
            Self::React(remote_id, _) | Self::Unreact(remote_id, _) => remote_id,
        }
    }
}

impl PortalObject {
    /// Makes the next call of a change at the head of the lane.
    pub(super) async fn alter(&self, row: &OutboundRow, access: &Access) -> Result<Next> {
        let Some(token) = &access.token else {
            return Ok(Next::Paused);
        };
        let Some((calls, answered)) = self.sending.change_of(row.seq) else {
            return Ok(Next::Again);
        };
        let Some(call) = calls.get(answered) else {
            return self.end_change(row);
        };
        let rate = Rate::per_second(i64::from(access.pace));
        if let Err(at) = self.buckets.take("change", rate, self.now()) {
            return Ok(Next::At(at));
        }
        self.note_attempt(row.seq)?;
        if let Call::React(_, reaction) = call {
            // Its echo may come before its answer.
            self.commit(false, |transaction| Ok(changes::put_reaction(transaction, reaction)?))?;
        }
        let outcome = {
            let _turn = self.locks.lock("call").await;
            let _call = self.sending.in_flight();
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_ATTEMPT).await;
            let outcome = self.make_call(&token.0, call).await;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_SEND).await;
            match outcome {
                Ok(edited) => {
                    self.note_call(call, edited)?;
                    self.sending.one_answered();
                    Ok(())
                }
                Err(error) => {
                    if matches!(error, RemoteError::Unknown(_)) {
                        self.sending.doubt_through(row.seq, self.now());
                    }
                    Err(error)
                }
            }
        };
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_OUTBOUND).await;
        match outcome {
            Ok(()) if answered.saturating_add(1) == calls.len() => self.end_change(row),
            Ok(()) => Ok(Next::Again),
            // It may be done again at once, but not faster and faster.
            Err(RemoteError::Unknown(_)) => Ok(Next::Failed),
            Err(RemoteError::Refused(code)) => {
                if let Call::React(_, reaction) = call {
                    let gone = ReactionRow { event_id: None, ..reaction.clone() };
                    self.commit(false, |transaction| Ok(changes::put_reaction(transaction, &gone)?))?;
                }
                self.sending.end_change();
                self.refuse(row, &code).await
            }
            Err(error) => self.not_sent(row, error, access).await,
        }
    }

    async fn make_call(&self, token: &str, call: &Call) -> Result<i64, RemoteError> {
        let channel = self.row().map_err(|error| RemoteError::NotDone(error.error))?.channel;
        let in_thread = |place: &str| {
            let found = self.channel_of(place, channel.clone());
            found.map_err(|error| RemoteError::NotDone(error.error))
        };
        match call {
            Call::Edit(message, content) => {
                let post = Post {
                    content: content.clone(),
                    // The mark stays that of the message, which is how a history knows it.
                    transaction: TransactionMark { event_id: message.event_id.clone(), part: self.part_of(message) },
                    reply_to: None,
                    thread_root: message.thread_root.clone(),
                    speaker: String::new(),
                    picture: None,
                };
                self.network.edit(token, &channel, &message.remote_id, &post).await
            }
            Call::Delete(message) => {
                let channel = in_thread(&message.place)?;
                self.network.delete(token, &channel, &message.remote_id).await.map(|()| DELETED)
            }
            Call::DeleteFile(file_id) => self.network.delete_file(token, file_id).await.map(|()| 0),
            Call::React(remote_id, reaction) => {
                let channel = in_thread(&reaction.place)?;
                self.network.react(token, &channel, remote_id, &reaction.key, true).await.map(|()| 0)
            }
            Call::Unreact(remote_id, reaction) => {
                let channel = in_thread(&reaction.place)?;
                self.network.react(token, &channel, remote_id, &reaction.key, false).await.map(|()| 0)
            }
        }
    }

    /// Which part of its event a message is.
    fn part_of(&self, message: &MappedMessage) -> u32 {
        let row = store::find_outbound(self.database.as_query(), &message.event_id).ok().flatten();
        let progress = Progress::read(row.and_then(|row| row.outcome).as_deref());
        progress.parts().find(|(_, remote_id)| **remote_id == message.remote_id).map_or(0, |(part, _)| *part)
    }

    /// Notes what a call did, so that its echo is known.
    fn note_call(&self, call: &Call, edited: i64) -> Result<()> {
        match call {
            Call::Edit(message, _) | Call::Delete(message) => {
                self.commit(false, |transaction| Ok(changes::mark_edited(transaction, &message.place, edited)?))
            }
            Call::React(..) | Call::DeleteFile(_) => Ok(()),
            Call::Unreact(_, reaction) => {
                let at = self.network.id_at(self.now().saturating_add(CLOCK_SKEW_MS));
                let gone = ReactionRow {
                    event_id: None,
                    changed: self.network.place(&at).unwrap_or_default(),
                    ..reaction.clone()
                };
                self.commit(false, |transaction| Ok(changes::put_reaction(transaction, &gone)?))
            }
        }
    }

    fn end_change(&self, row: &OutboundRow) -> Result<Next> {
        self.sending.end_change();
        self.finish(row, &Progress::default())
    }

    /// Whether the head of the lane is a change that an earlier life may have made, and that was not looked at again.
    fn may_have_changed(&self) -> bool {
        let head = self.outbound.borrow().front().copied().filter(|seq| self.sending.doubts(*seq));
        let Some(seq) = head.filter(|seq| self.sending.change_of(*seq).is_none() && !self.sending.is_paused()) else {
            return false;
        };
        let row = store::get_outbound(self.database.as_query(), seq).ok().flatten();
        let event = row.and_then(|row| row.body).and_then(|body| serde_json::from_str::<Outgoing>(&body).ok());
        event.is_some_and(|event| event.event_type != "m.room.message" || event.content.get("m.new_content").is_some())
    }

    /// Whether something that happened to a message may be the echo of our own call, whose outcome is not known yet.
    pub(super) async fn may_echo_change(&self, remote_id: &str) -> bool {
        if !self.outcome_is_open() {
            return false;
        }
        if !self.sending.is_changing(remote_id) {
            return self.may_have_changed();
        }
        let _call = self.locks.lock("call").await;
        self.sending.is_changing(remote_id) && self.is_in_doubt()
    }
}
