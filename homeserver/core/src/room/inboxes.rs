//! Which appservices' own users have an inbox: those who have ever synced ([`crate::user`]'s `first_sync`).
//!
//! D1's `accounts.has_inbox` says so. A room asks before an event that brings such a user in, and again in the
//! very batch that writes the membership to D1. The user's object first sets the flag and then reads its
//! memberships there: so whatever happens at the same moment, one of the two sees the other. Users who never
//! sync cost these reads when they are invited or join, and nothing else.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use hubbub_storage::{
    database::{Query, Row, Transaction, transaction},
    directory::{Statement, accounts},
    room::{
        events::{self, EventRow},
        followers::{self, SpanRow, USER},
        state,
    },
};
use ruma::{OwnedUserId, UserId};

use super::{Opened, RoomObject, append::new_follower, rebuild::refuse_while_rebuilding};
use crate::{
    context::AppserviceList,
    error::{MatrixError, Result},
};

/// What is known of the appservices' own users.
#[derive(Default)]
pub(super) struct Inboxes {
    /// Those who have an inbox: none ever loses it.
    known: RefCell<BTreeSet<OwnedUserId>>,
    /// Whether the archive found one whom nothing was delivered to yet.
    found_late: Cell<bool>,
}

impl Inboxes {
    fn learn(&self, user_id: &UserId) {
        self.known.borrow_mut().insert(user_id.to_owned());
    }

    /// Whether there is somebody new to deliver to, since this was asked.
    pub(super) fn take_found(&self) -> bool {
        self.found_late.take()
    }
}

impl RoomObject {
    /// Whether a user is one of ours with an inbox, as far as [`Self::learn_inbox`] was asked.
    pub(super) fn has_inbox(&self, appservices: &AppserviceList, user_id: &UserId) -> bool {
        user_id.server_name() == self.context.config.server_name
            && (!is_owned(appservices, user_id) || self.inboxes.known.borrow().contains(user_id))
    }

    /// Asks D1 whether a user whose membership is about to change has an inbox, unless that is known or makes
    /// no difference. A D1 that is out of reach holds nothing up: the archive asks again.
    pub(super) async fn learn_inbox(&self, appservices: &AppserviceList, user_id: &UserId) {
        let outcome = match self.is_doubtful(appservices, user_id) {
            Ok(true) => self.ask_for_inbox(user_id).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(room.id = %self.room_id, "Whether a user has an inbox is not known: {error}");
        }
    }

    fn is_doubtful(&self, appservices: &AppserviceList, user_id: &UserId) -> Result<bool> {
        let is_local = user_id.server_name() == self.context.config.server_name;
        if !is_local || self.has_inbox(appservices, user_id) {
            return Ok(false);
        }
        let Ok(opened) = self.opened_now() else {
            return Ok(true);
        };
        let query = self.database.as_query();
        if followers::get(query, USER, user_id.as_str())?.is_some() {
            self.inboxes.learn(user_id);
            return Ok(false);
        }
        // Of one who is in the room and was never delivered to, a renaming or leaving is no news either.
        Ok(self.membership_of(query, &opened, user_id)?.as_deref() != Some("join"))
    }

    async fn ask_for_inbox(&self, user_id: &UserId) -> Result<()> {
        let statement = accounts::with_inbox(&[user_id.to_string()])?;
        let answers = self.context.directory.batch(vec![statement]).await?;
        if answers.first().is_some_and(|rows| !rows.is_empty()) {
            self.inboxes.learn(user_id);
        }
        Ok(())
    }

    /// What the archive asks D1 beside the rows that it writes there; `None` when no appservice's user is among
    /// them.
    pub(super) async fn question_about(&self, rows: &[EventRow]) -> Result<Option<Statement>> {
        let members = rows.iter().filter(|row| row.event_type == "m.room.member");
        let targets: BTreeSet<&str> = members.filter_map(|row| row.state_key.as_deref()).collect();
        if targets.is_empty() {
            return Ok(None);
        }
        let appservices = self.appservices().await?;
        let owned = self.owned_among(&appservices, targets);
        if owned.is_empty() { Ok(None) } else { Ok(Some(accounts::with_inbox(&owned)?)) }
    }

    fn owned_among<'a>(&self, appservices: &AppserviceList, users: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let ours = &self.context.config.server_name;
        let is_ours = |user: &UserId| user.server_name() == ours && is_owned(appservices, user);
        let users = users.into_iter().filter(|user| <&UserId>::try_from(*user).is_ok_and(is_ours));
        users.map(ToOwned::to_owned).collect()
    }

    /// Takes D1's answer to [`Self::question_about`]: who has an inbox is followed, if that is not so yet.
    pub(super) fn follow_those(&self, answer: &[Row]) -> Result<()> {
        for user_id in accounts::ids(answer)? {
            let user_id = OwnedUserId::try_from(user_id).map_err(MatrixError::internal)?;
            self.follow_late(&user_id)?;
        }
        Ok(())
    }

    /// [`crate::contract::room::RoomCommand::Follow`].
    pub(super) async fn follow_from_now(&self, user_id: &UserId) -> Result<()> {
        refuse_while_rebuilding(&self.opened_now()?.row)?;
        let position = self.follow_late(user_id)?;
        self.settle_follower(USER, user_id.as_str(), position).await
    }

    /// After a rebuild: follows the appservices' users in the room who have an inbox. The flags are read after
    /// the room was written, so that nobody is missed who syncs for the first time meanwhile.
    pub(super) async fn follow_members_with_inbox(&self, appservices: &AppserviceList) -> Result<()> {
        let members = state::current_members(self.database.as_query())?;
        let owned = self.owned_among(appservices, members.iter().map(|row| row.state_key.as_str()));
        if owned.is_empty() {
            return Ok(());
        }
        let answers = self.context.directory.batch(vec![accounts::with_inbox(&owned)?]).await?;
        answers.first().map_or(Ok(()), |answer| self.follow_those(answer))
    }

    /// Opens the span of a user who is in the room (from the newest position on, with a snapshot of what was
    /// before it) or invited (the invitation). Returns the room's position.
    fn follow_late(&self, user_id: &UserId) -> Result<i64> {
        let position = transaction(self.database.as_ref(), |transaction| {
            let mut opened = self.opened(transaction.as_query())?;
            if let Some(span) = self.missing_span(transaction.as_query(), &opened, user_id)? {
                open(transaction, user_id, span)?;
                self.inboxes.found_late.set(true);
                self.save_row(transaction, &mut opened.row)?;
            }
            Ok::<_, MatrixError>(opened.row.position)
        })?;
        self.inboxes.learn(user_id);
        Ok(position)
    }

    fn missing_span(&self, query: &dyn Query, opened: &Opened, user_id: &UserId) -> Result<Option<SpanRow>> {
        let id = user_id.as_str();
        let held = self.follower(query, USER, id)?.map_or(0, |follower| follower.position);
        let spans = followers::spans(query, USER, id, held)?;
        Ok(match self.membership_of(query, opened, user_id)?.as_deref() {
            Some("join") if spans.iter().all(|span| span.last.is_some()) => {
                Some(SpanRow { first: opened.row.position, last: None, snapshot: true })
            }
            Some("invite" | "knock") => {
                let own = events::current(query, "m.room.member", id)?;
                let at = own.and_then(|own| own.position()).unwrap_or_default();
                let is_known = at <= held || spans.iter().any(|span| span.first == at);
                (!is_known).then_some(SpanRow { first: at, last: Some(at), snapshot: false })
            }
            _ => None,
        })
    }
}

fn open(transaction: &dyn Transaction, user_id: &UserId, span: SpanRow) -> Result<()> {
    if followers::get(transaction.as_query(), USER, user_id.as_str())?.is_none() {
        followers::put(transaction, &new_follower(USER, user_id.as_str()))?;
    }
    Ok(followers::open_span(transaction, USER, user_id.as_str(), span)?)
}

/// Whether a user is an appservice's bot or lies in an exclusive namespace.
fn is_owned(appservices: &AppserviceList, user_id: &UserId) -> bool {
    appservices.iter().any(|appservice| appservice.bot() == user_id || appservice.owns_user(user_id))
}
