//! From the inbound log to the portals, in batches, each channel by itself.

use std::rc::Rc;

use hubbub_core::{
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use hubbub_storage::{
    database::transaction,
    login::{self as store, PortalEntry, Waiting},
};
use serde_json::value::RawValue;

use super::{LoginObject, hook::BUCKET_SECONDS};
use crate::{
    contract::{ChannelKind, PortalCommand, PortalIntent},
    failpoints,
    lane::Lane,
    network::{HookBody, HookKind},
};

/// Events of one call to a portal.
const BATCH: usize = 100;

/// Bytes of one call to a portal, after which no further event is added.
const BATCH_BYTES: usize = 1 << 20;

/// How long a finished event's id stays known, in buckets: two days.
const REMEMBERED: i64 = 2 * 86_400 / BUCKET_SECONDS;

/// How often ids are forgotten, in buckets: ten minutes.
const TIDY_EVERY: i64 = 600 / BUCKET_SECONDS;

impl LoginObject {
    /// The channels with waiting events, and their lanes.
    pub(super) fn waiting_lanes(&self) -> Vec<(String, Rc<Lane>)> {
        let waiting = self.waiting.borrow();
        let mut lanes = self.lanes.borrow_mut();
        waiting
            .iter()
            .filter(|(_, events)| !events.is_empty())
            .map(|(channel, _)| (channel.clone(), Rc::clone(lanes.entry(channel.clone()).or_default())))
            .collect()
    }

    /// Hands over what waits for one channel.
    pub(super) async fn hand_over(&self, channel: String, lane: Rc<Lane>) {
        let Some(_guard) = lane.enter(self.now()) else { return };
        loop {
            let batch = self.next_batch(&channel);
            if batch.is_empty() {
                lane.succeed();
                return;
            }
            let mut batch = Taken::new(self, &channel, batch);
            if let Err(error) = self.hand_over_batch(&channel, &batch.events).await {
                tracing::warn!(login.id = %self.login_id, "A portal takes no events: {error}");
                lane.fail(self.now());
                return;
            }
            batch.events.clear();
            lane.succeed();
        }
    }

    fn next_batch(&self, channel: &str) -> Vec<Waiting> {
        let mut waiting = self.waiting.borrow_mut();
        let Some(events) = waiting.get_mut(channel) else {
            return Vec::new();
        };
        let batch = events.drain(..events.len().min(BATCH)).collect();
        if events.is_empty() {
            waiting.remove(channel);
        }
        batch
    }

    async fn hand_over_batch(&self, channel: &str, batch: &[Waiting]) -> Result<()> {
        let mut rest = batch;
        while !rest.is_empty() {
            let mut events = Vec::new();
            let mut bytes = 0_usize;
            let mut taken = 0;
            for event in rest {
                if bytes >= BATCH_BYTES {
                    break;
                }
                taken += 1;
                let body = store::event_body(self.database.as_query(), event)?;
                let Some(body) = body else { continue };
                bytes = bytes.saturating_add(body.len());
                events.push(body);
            }
            let (now_done, later) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            self.deliver(channel, &events).await?;
            self.context.failpoints.pass(failpoints::LOGIN_AFTER_HANDOVER).await;
            self.finish_events(now_done)?;
            self.context.failpoints.pass(failpoints::LOGIN_AFTER_HANDOVER_COMMIT).await;
            rest = later;
        }
        Ok(())
    }

    /// Gives events to the channel's portal, which a private chat gets now.
    async fn deliver(&self, channel: &str, bodies: &[String]) -> Result<()> {
        let (portal, thread) = match self.portal_for(channel, bodies)? {
            Some(portal) => (portal, None),
            None => match self.portal_of_thread(channel).await? {
                Some((portal, thread)) => (portal, Some(thread)),
                None => {
                    let dropped = u64::try_from(bodies.len()).unwrap_or(u64::MAX);
                    self.count(|counters| counters.dropped = counters.dropped.saturating_add(dropped));
                    return Ok(());
                }
            },
        };
        let events = bodies.iter().filter_map(|body| match &thread {
            Some(thread) => self.network.event_of(&self.network.in_thread(body, thread)),
            None => self.network.event_of(body),
        });
        let events: Vec<Box<RawValue>> = events.collect();
        if events.is_empty() {
            return Ok(());
        }
        let address = Address::new(Class::Portal, portal.portal_id.as_str());
        let objects = self.context.objects.as_ref();
        let command = PortalCommand::Remote { events };
        match call::<()>(objects, address.clone(), &command).await {
            // The portal was never opened: this object stopped between the row and the call.
            Err(error) if error.status == 404 => {
                self.context.failpoints.pass(failpoints::LOGIN_AFTER_PORTAL).await;
                let open = PortalCommand::Open(self.intent(&portal)?);
                call::<()>(objects, address.clone(), &open).await?;
                call::<()>(objects, address, &command).await
            }
            outcome => outcome,
        }
    }

    /// The intent of a portal of this login.
    pub(super) fn intent(&self, portal: &PortalEntry) -> Result<PortalIntent> {
        Ok(PortalIntent {
            login_id: self.login_id.clone(),
            owner: self.owner()?,
            channel: portal.channel.clone(),
            kind: ChannelKind::from(portal.kind.as_str()),
        })
    }

    fn portal_for(&self, channel: &str, bodies: &[String]) -> Result<Option<PortalEntry>> {
        if let Some(portal) = self.portals.borrow().get(channel).cloned() {
            return Ok(portal.active.then_some(portal));
        }
        let kind = bodies.iter().find_map(|body| {
            let HookBody::Event(event) = self.network.read_hook(body) else {
                return None;
            };
            match event.kind {
                HookKind::ForChannel { kind, .. } => kind,
                _ => None,
            }
        });
        let Some(kind) = kind.filter(|kind| kind.is_private_chat()) else {
            return Ok(None);
        };
        self.add_portal(channel, kind, "").map(Some)
    }

    /// Stores a portal's row under a new random id.
    pub(super) fn add_portal(&self, channel: &str, kind: ChannelKind, name: &str) -> Result<PortalEntry> {
        let portal = PortalEntry {
            channel: channel.to_owned(),
            portal_id: self.facts().object_name(&self.context.random_id()),
            kind: kind.as_str().to_owned(),
            name: name.to_owned(),
            active: true,
        };
        self.put_portal(&portal)?;
        Ok(portal)
    }

    /// Stores a portal's row.
    pub(super) fn put_portal(&self, portal: &PortalEntry) -> Result<()> {
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            store::put_portal(transaction, portal)?;
            self.alarm.arm(transaction, now)?;
            Ok::<(), MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        let mut portals = self.portals.borrow_mut();
        portals.insert(portal.channel.clone(), portal.clone());
        Ok(())
    }

    /// Takes events out of the log that their portal has. Every ten minutes at most it also forgets old ids.
    fn finish_events(&self, events: &[Waiting]) -> Result<()> {
        let mut row = self.row()?;
        let bucket = self.now().div_euclid(1_000 * BUCKET_SECONDS);
        let tidies = bucket >= row.tidied_in.saturating_add(TIDY_EVERY);
        if tidies {
            row.tidied_in = bucket;
            row.counters = serde_json::to_string(&self.counters.get())?;
        }
        transaction(self.database.as_ref(), |transaction| {
            store::finish_events(transaction, events)?;
            if tidies {
                store::put(transaction, &row)?;
                store::handed::forget(transaction, bucket.saturating_sub(REMEMBERED))?;
            }
            Ok::<(), MatrixError>(())
        })?;
        if tidies {
            *self.row.borrow_mut() = Some(row);
        }
        Ok(())
    }
}

/// Events that are on their way to a portal. Dropped before they are there, they wait again.
struct Taken<'a> {
    login: &'a LoginObject,
    channel: &'a str,
    events: Vec<Waiting>,
    count: usize,
}

impl<'a> Taken<'a> {
    fn new(login: &'a LoginObject, channel: &'a str, events: Vec<Waiting>) -> Self {
        let count = events.len();
        login.under_way.set(login.under_way.get().saturating_add(count));
        Self { login, channel, events, count }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.login.under_way.set(self.login.under_way.get().saturating_sub(self.count));
        if self.events.is_empty() {
            return;
        }
        let mut waiting = self.login.waiting.borrow_mut();
        let events = waiting.entry(self.channel.to_owned()).or_default();
        for event in self.events.drain(..).rev() {
            events.push_front(event);
        }
    }
}
