//! Events about a message that is not known: they wait a minute for it beside the lane, and are then given up with a
//! count. They stop nobody.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use hubbub_core::error::Result;
use hubbub_storage::portal::{Place, changes};

use super::{PortalObject, inbound::Effect};

/// How long an event waits for its message, in milliseconds.
const PATIENCE_MS: i64 = 60_000;

/// What waits, until when, and for the message at which place; that is not known after a wake, before the first look.
#[derive(Default)]
pub(super) struct Parked(RefCell<BTreeMap<Place, (i64, Option<String>)>>);

impl Parked {
    /// An earlier life parked it.
    pub(super) fn restore(&self, place: Place, until: i64) {
        self.0.borrow_mut().insert(place, (until, None));
    }

    /// The room is gone.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// How many of them are not in the lane.
    pub(super) fn count_beside(&self, lane: &BTreeSet<Place>) -> usize {
        self.0.borrow().keys().filter(|place| !lane.contains(*place)).count()
    }

    /// When the first of them is given up.
    pub(super) fn next(&self) -> Option<i64> {
        self.0.borrow().values().map(|(until, _)| *until).min()
    }
}

impl PortalObject {
    /// Parks an event whose message is not at `target`; false when it has waited long enough.
    pub(super) fn park(&self, place: &Place, target: String) -> Result<bool> {
        let now = self.now();
        let known = self.parked.0.borrow().get(place).map(|(until, _)| *until);
        let until = match known {
            Some(until) if until <= now => {
                self.count_ignored("target unknown".to_owned());
                return Ok(false);
            }
            Some(until) => until,
            None => {
                let until = now.saturating_add(PATIENCE_MS);
                self.commit(false, |transaction| Ok(changes::park(transaction, place, until)?))?;
                until
            }
        };
        self.parked.0.borrow_mut().insert(place.clone(), (until, Some(target)));
        Ok(true)
    }

    /// Puts those back into the lane that wait for a place, by that and their time.
    pub(super) fn wake_parked(&self, wanted: impl Fn(Option<&str>, i64) -> bool) {
        let parked = self.parked.0.borrow();
        let woken = parked.iter().filter(|(_, (until, target))| wanted(target.as_deref(), *until));
        self.inbound.borrow_mut().extend(woken.map(|(place, _)| place.clone()));
    }

    /// Forgets an event that is done, and wakes those that waited for what it did.
    pub(super) fn unpark(&self, place: &Place, effects: &[Effect]) {
        self.parked.0.borrow_mut().remove(place);
        for effect in effects {
            let done = match effect {
                Effect::Shown(message) => message.place.as_str(),
                Effect::Reacted(reaction) => reaction.place.as_str(),
                _ => continue,
            };
            self.wake_parked(|target, _| target == Some(done));
        }
    }
}
