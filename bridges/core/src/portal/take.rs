//! What both sides hand in: stored before it is acknowledged, once however often it comes.

use hubbub_core::error::Result;
use hubbub_storage::{
    database::Transaction,
    portal::{self as store, MappedMessage, Place, changes, files},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PortalObject, outbound::Progress};
use crate::{
    failpoints,
    matrix::{DOUBLE_PUPPET_KEY, is_ours},
    network::{RemoteEvent, RemoteMessage, TransactionMark},
};

/// What decides whether an event of the room goes out.
#[derive(Deserialize)]
struct RoomEvent<'a> {
    event_id: String,
    sender: String,
    #[serde(default)]
    state_key: Option<String>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Marked {
    #[serde(default, rename = "com.hubbub.double_puppet")]
    puppet: Option<String>,
}

/// Whether a remote message is one of our own posts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    /// It is not.
    No,
    /// It is, and its answer came before it.
    Known,
    /// It is, and comes before the answer: the lane can go on.
    News,
}

impl PortalObject {
    /// Queues remote events. Those that are in the room already, and the echoes of our own posts,
    /// are only taken note of.
    pub(super) async fn take_remote(&self, events: &[Box<RawValue>]) -> Result<()> {
        if self.row()?.closed {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for raw in events {
            match self.network.read_event(raw) {
                RemoteEvent::Ignored(kind) => self.count_ignored(kind),
                RemoteEvent::Malformed => self.count_ignored("malformed".to_owned()),
                event => wanted.push((event, raw)),
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let mut places = Vec::new();
        let mut echoed = false;
        self.commit(false, |transaction| {
            places.clear();
            for (event, raw) in &wanted {
                let echo = match event {
                    RemoteEvent::Message(message) => self.take_echo(transaction, message)?,
                    _ => Echo::No,
                };
                echoed |= echo == Echo::News;
                if self.queue(transaction, event, raw.get(), echo)? {
                    places.extend(event.place().cloned());
                }
            }
            if echoed || !places.is_empty() {
                self.alarm.arm(transaction, self.now())?;
            }
            Ok(())
        })?;
        self.inbound.borrow_mut().extend(places);
        if echoed {
            // The lane may have been waiting for exactly this.
            self.outbound_lane.hurry();
        }
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_REMOTE).await;
        Ok(())
    }

    /// Queues an event that has something to say; whether it does.
    pub(super) fn queue(
        &self,
        transaction: &dyn Transaction,
        event: &RemoteEvent,
        body: &str,
        echo: Echo,
    ) -> Result<bool> {
        let Some(place) = event.place() else { return Ok(false) };
        if let RemoteEvent::Message(message) = event {
            let shown = changes::list_parts(transaction.as_query(), &place.place)?.into_iter().next();
            // A message's first life is shown once; a later one has a place of its own.
            let known = shown.is_some_and(|shown| place.generation == 0 && message.edited <= shown.edited);
            if known || (echo != Echo::No && message.edited == 0) {
                return Ok(false);
            }
        }
        Ok(store::insert_inbound(transaction, place, body)?)
    }

    /// Takes a message that carries our own mark as the answer to our own call, which may have got
    /// none. A mark of another portal is no echo: somebody else of this server wrote in the same
    /// channel.
    pub(super) fn take_echo(&self, transaction: &dyn Transaction, message: &RemoteMessage) -> Result<Echo> {
        let of_file = match &message.transaction {
            None => self.file_echo(transaction, message)?,
            Some(_) => None,
        };
        let Some(mark) = message.transaction.as_ref().or(of_file.as_ref()) else {
            return Ok(Echo::No);
        };
        let Some(row) = store::find_outbound(transaction.as_query(), &mark.event_id)? else {
            return Ok(Echo::No);
        };
        let mut progress = Progress::read(row.outcome.as_deref());
        let unknown = progress.insert(mark.part, &message.id);
        let news = row.body.is_some() && unknown;
        // The network may tell as which message it shows a file long after it took it.
        if news || (unknown && of_file.is_some()) {
            store::note_outbound(transaction, row.seq, &progress.write()?)?;
        }
        store::put_message(
            transaction,
            &MappedMessage {
                place: message.place.place.clone(),
                part: 0,
                remote_id: message.id.clone(),
                event_id: mark.event_id.clone(),
                sender: Some(self.row()?.owner),
                edited: 0,
                thread_root: message.thread_root.clone(),
            },
        )?;
        Ok(if news { Echo::News } else { Echo::Known })
    }

    /// The event of the room whose file a message shows: the network leaves no mark beside files.
    fn file_echo(&self, transaction: &dyn Transaction, message: &RemoteMessage) -> Result<Option<TransactionMark>> {
        for file in &message.files {
            if let Some(upload) = files::find_upload_of(transaction.as_query(), file)? {
                return Ok(Some(TransactionMark { event_id: upload.event_id, part: 0 }));
            }
        }
        Ok(None)
    }

    /// Queues events of the room that a human wrote.
    pub(super) async fn take_matrix(&self, events: &[Box<RawValue>]) -> Result<()> {
        if self.row()?.closed {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for raw in events {
            if self.take_receipt(raw).await? {
                continue;
            }
            let Ok(event) = serde_json::from_str::<RoomEvent<'_>>(raw.get()) else {
                self.count_ignored("malformed".to_owned());
                continue;
            };
            if self.goes_out(&event) {
                wanted.push((event.event_id, raw));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let mut queued = Vec::new();
        self.commit(false, |transaction| {
            queued.clear();
            for (event_id, raw) in &wanted {
                queued.extend(store::insert_outbound(transaction, event_id, raw.get())?);
            }
            if !queued.is_empty() {
                self.alarm.arm(transaction, self.now())?;
            }
            Ok(())
        })?;
        self.outbound.borrow_mut().extend(queued);
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_MATRIX).await;
        Ok(())
    }

    fn goes_out(&self, event: &RoomEvent<'_>) -> bool {
        debug_assert_eq!(DOUBLE_PUPPET_KEY, "com.hubbub.double_puppet");
        let marked = serde_json::from_str::<Marked>(event.content.get())
            .is_ok_and(|content| content.puppet.as_deref() == Some(self.facts().id));
        let ours = is_ours(self.facts(), &self.context.config.server_name, &event.sender);
        event.state_key.is_none() && !marked && !ours
    }

    pub(super) fn count_ignored(&self, kind: String) {
        let mut ignored = self.ignored.borrow_mut();
        let count = ignored.entry(kind).or_default();
        *count = count.saturating_add(1);
    }

    /// Puts a place back into the lane.
    pub(super) fn put_back(&self, place: Place) {
        self.inbound.borrow_mut().insert(place);
    }
}
