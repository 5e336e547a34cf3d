//! Starting a room anew: the user joined, or the room was rebuilt under a new epoch.

use std::collections::{BTreeMap, BTreeSet};

use hubbub_storage::user::{
    state,
    timeline::{self, KeptEvent, Notify, Stretch},
};

use super::{KEPT_EVENTS, Taking};
use crate::{
    contract::delivery::{DeliveredEvent, Snapshot},
    error::Result,
    user::notify::Verdict,
};

impl Taking<'_> {
    /// Replaces what the inbox holds of the room by the delivery's snapshot. The places of older
    /// events stay: order_keys outlive epochs.
    pub(super) fn start_anew(&mut self, new_epoch: bool) -> Result<()> {
        self.room.gap_pos = self.inbox_pos;
        self.changed = true;
        let Some(snapshot) = &self.delivery.snapshot else {
            return Ok(());
        };
        for event in &snapshot.state {
            // A rebuilt room may have lost the newest events, the user's own membership among them; and who
            // synced for the first time may have joined long before. Any other snapshot comes with the join.
            if let Some(membership) = self.own_membership(event)?
                && (new_epoch || membership == "join")
                && membership != self.room.membership
            {
                self.take_membership(&membership, event);
            }
        }
        self.replace_state(snapshot)?;
        self.replace_timeline(snapshot, new_epoch)?;
        // They count before any event of the delivery.
        self.store_receipts(&snapshot.receipts)
    }

    fn replace_state(&mut self, snapshot: &Snapshot) -> Result<()> {
        let held: BTreeMap<(String, String), String> = state::list_ids(self.query(), &self.room.room_id)?
            .into_iter()
            .map(|(event_type, state_key, event_id)| ((event_type, state_key), event_id))
            .collect();
        let mut stays = BTreeSet::new();
        for event in &snapshot.state {
            let key = (event.event_type.clone(), event.state_key.clone().unwrap_or_default());
            if held.get(&key).map(String::as_str) != Some(event.event_id.as_str()) {
                self.take_state(event, self.inbox_pos)?;
            }
            stays.insert(key);
        }
        for (event_type, state_key) in held.keys().filter(|key| !stays.contains(key)) {
            state::delete(self.transaction, &self.room.room_id, event_type, state_key)?;
        }
        self.room.state_pos = self.inbox_pos;
        Ok(())
    }

    /// Takes the history. An event whose place is known keeps it, so that older sync tokens still
    /// stand where they stood.
    fn replace_timeline(&mut self, snapshot: &Snapshot, new_epoch: bool) -> Result<()> {
        let room_id = self.room.room_id.clone();
        let first = snapshot.history.first().map(|event| event.order_key);
        let newest = timeline::list_places(
            self.query(),
            Stretch { room_id: &room_id, below: timeline::END, from: -timeline::END, limit: KEPT_EVENTS },
        )?;
        let top = newest.first().map(|place| place.order_key);
        let known: BTreeMap<i64, (String, i64, Notify, Option<String>)> = newest
            .into_iter()
            .map(|place| {
                let rest = (place.event_id, place.inbox_pos, place.notify, place.thread);
                (place.order_key, rest)
            })
            .collect();
        let restart = first.or_else(|| self.delivery.events.first().map(|event| event.order_key));
        if let (true, Some(restart)) = (new_epoch, restart) {
            timeline::delete_from(self.transaction, &room_id, restart)?;
        }
        for event in &snapshot.history {
            let kept = self.kept(event, Verdict::silent(&event.event))?;
            match known.get(&event.order_key) {
                Some((event_id, inbox_pos, notify, thread)) if *event_id == kept.event_id => {
                    let kept = KeptEvent { inbox_pos: *inbox_pos, notify: *notify, thread: thread.clone(), ..kept };
                    timeline::put(self.transaction, &room_id, &kept)?;
                }
                // Below what the inbox has had, an event would come after newer ones.
                _ if !new_epoch && top.is_some_and(|top| event.order_key < top) => {}
                _ => timeline::put(self.transaction, &room_id, &kept)?,
            }
        }
        // What the inbox kept from before the gap is not part of the new timeline.
        let start = self.start_of_timeline(&snapshot.history);
        if let Some(start) = start.filter(|start| *start > self.room.kept_from) {
            timeline::evict(self.transaction, &room_id, self.room.kept_from, start)?;
            self.room.kept_from = start;
        }
        Ok(())
    }

    fn start_of_timeline(&self, history: &[DeliveredEvent]) -> Option<i64> {
        history.first().or_else(|| self.delivery.events.first()).map(|event| event.order_key)
    }
}
