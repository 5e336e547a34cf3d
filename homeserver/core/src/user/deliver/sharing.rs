//! Keeping up with whom the user shares rooms, for device lists.
//!
//! The user's own joining and leaving is one row, however many are in the room. Somebody else's
//! costs the room's row, and one more if it changes whether any room is shared at all.

use std::collections::BTreeSet;

use hubbub_storage::user::{
    device_lists::{self, ListChange, SharedRoom},
    keys_news,
};

use super::{Taking, events::membership_of};
use crate::{
    error::Result,
    room::BRIDGE_INFO,
    user::{
        device_lists::{members_of, shared_with},
        stored_event::take_apart,
    },
};

/// How far apart the clocks of two objects are at most.
const CLOCK_SKEW_MS: i64 = 5_000;

impl Taking<'_> {
    /// Takes what the delivery says about who is in the room.
    pub(super) fn take_sharing(&mut self) -> Result<()> {
        let says_something =
            self.delivery.snapshot.is_some()
                || self.delivery.events.iter().any(|event| {
                    event.event_type == "m.room.member" || BRIDGE_INFO.contains(&event.event_type.as_str())
                });
        if !says_something {
            return Ok(());
        }
        let held = device_lists::get_room(self.query(), &self.room.room_id)?;
        let joined = self.room.membership == "join";
        match (held, &self.delivery.snapshot) {
            (held, Some(snapshot)) if joined => {
                let own = &self.object.user_id;
                let members = snapshot
                    .members
                    .as_ref()
                    .map(|members| members.iter().filter(|member| *member != own).map(ToString::to_string).collect());
                self.start_sharing(held, members)
            }
            (Some(held), _) if held.is_joined() => {
                let bridged = self.delivery.events.iter().any(|event| BRIDGE_INFO.contains(&event.event_type.as_str()));
                if !joined || bridged {
                    return self.stop_sharing(held);
                }
                self.go_on_sharing(held)
            }
            // A bridged room, or one that the user is not in.
            _ => Ok(()),
        }
    }

    /// The user joined, or the room was made anew.
    fn start_sharing(&mut self, held: Option<SharedRoom>, members: Option<BTreeSet<String>>) -> Result<()> {
        let Some(members) = members else {
            return match held.filter(SharedRoom::is_joined) {
                Some(held) => self.stop_sharing(held),
                None => Ok(()),
            };
        };
        let own_join = self.room.membership_pos == self.inbox_pos;
        let mut joined_pos = self.inbox_pos;
        if let Some(held) = held {
            let before = members_of(&held)?;
            let gone = before.difference(&members).cloned().collect();
            self.note_gone(&gone, held.joined_pos, held.left_pos.unwrap_or(self.inbox_pos))?;
            if held.is_joined() && !own_join {
                joined_pos = held.joined_pos;
                self.note_come(members.difference(&before))?;
            }
        }
        self.put_shared(joined_pos, None, &members)?;
        if own_join { self.tell_again_if_just_changed() } else { Ok(()) }
    }

    /// The user left, or the room came to be bridged.
    fn stop_sharing(&mut self, held: SharedRoom) -> Result<()> {
        let members = members_of(&held)?;
        self.put_shared(held.joined_pos, Some(self.inbox_pos), &members)
    }

    /// Others came and went.
    fn go_on_sharing(&mut self, held: SharedRoom) -> Result<()> {
        if held.members.is_none() {
            // Asked for, and not there yet.
            return Ok(());
        }
        let before = members_of(&held)?;
        let mut members = before.clone();
        let mut moved = BTreeSet::new();
        for event in &self.delivery.events {
            let Some(member) = event.state_key.as_ref().filter(|_| event.event_type == "m.room.member") else {
                continue;
            };
            if self.object.user_id == *member {
                continue;
            }
            let joins = membership_of(&event.event).as_deref() == Some("join");
            let changed = if joins { members.insert(member.clone()) } else { members.remove(member) };
            if changed {
                moved.insert(member.clone());
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        let gone = before.difference(&members).cloned().collect();
        self.note_gone(&gone, held.joined_pos, self.inbox_pos)?;
        // Who left and came back within the delivery did change: nobody told of keys in between.
        self.note_come(moved.intersection(&members))?;
        self.put_shared(held.joined_pos, None, &members)
    }

    /// Users who came into the room at this position: a change, unless they are shared with elsewhere all the
    /// time.
    fn note_come<'b>(&self, users: impl Iterator<Item = &'b String>) -> Result<()> {
        let mut users = users.peekable();
        if users.peek().is_none() {
            return Ok(());
        }
        let elsewhere = shared_with(self.query(), Some(&self.room.room_id))?;
        for user_id in users.filter(|user_id| !elsewhere.contains(*user_id)) {
            self.note(user_id, self.inbox_pos)?;
        }
        Ok(())
    }

    /// Users who are no longer among the room's members. Who is shared with elsewhere may still be so only since
    /// the user joined here.
    fn note_gone(&self, users: &BTreeSet<String>, joined_pos: i64, left_pos: i64) -> Result<()> {
        if users.is_empty() {
            return Ok(());
        }
        let elsewhere = shared_with(self.query(), Some(&self.room.room_id))?;
        for user_id in users {
            self.note(user_id, if elsewhere.contains(user_id) { joined_pos } else { left_pos })?;
        }
        Ok(())
    }

    fn note(&self, user_id: &str, pos: i64) -> Result<()> {
        let held = device_lists::get(self.query(), user_id)?;
        if held.is_some_and(|held| held.changed_pos >= pos) {
            return Ok(());
        }
        let change = ListChange { user_id: user_id.to_owned(), changed_pos: pos, revision: 0 };
        device_lists::put(self.transaction, &change)?;
        self.object.lists.forget();
        Ok(())
    }

    fn put_shared(&mut self, joined_pos: i64, left_pos: Option<i64>, members: &BTreeSet<String>) -> Result<()> {
        let room = SharedRoom {
            room_id: self.room.room_id.clone(),
            joined_pos,
            left_pos,
            members: Some(serde_json::to_string(members)?),
        };
        device_lists::put_room(self.transaction, &room)?;
        self.object.lists.forget();
        self.changed = true;
        Ok(())
    }

    /// The room was not yet among those that were told of a change that came after the join: the others
    /// in it saw the join before, so they would miss it.
    fn tell_again_if_just_changed(&self) -> Result<()> {
        let Some(news) = keys_news::get(self.query())? else {
            return Ok(());
        };
        let own = self.delivery.events.iter().filter(|event| {
            event.event_type == "m.room.member" && event.state_key.as_deref() == Some(self.object.user_id.as_str())
        });
        for event in own {
            if news.changed_at >= take_apart(&event.event)?.ts - CLOCK_SKEW_MS {
                keys_news::set_told(self.transaction, 0)?;
                self.object.lists.ask();
                self.object.idle.set(false);
            }
        }
        Ok(())
    }
}
