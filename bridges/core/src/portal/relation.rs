//! What a message answers: its thread, with the thread's newest reply for clients without threads
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#fallback-for-unthreaded-clients)), or another message.
//!
//! A message whose thread or answered message is not known is shown plainly.

use hubbub_core::error::Result;
use hubbub_storage::portal::{MappedMessage, changes};
use serde_json::{Value as Json, json, value::RawValue};

use super::PortalObject;
use crate::network::{KnownNames, RemoteMessage};

/// A content on its way into the room.
pub(super) struct Content {
    /// The content.
    pub(super) json: Json,
    /// Whether it repeats outside of a thread what another one says in it.
    copy: bool,
}

/// What the contents of one message relate to.
pub(super) struct Relation {
    thread: Option<Thread>,
    /// The event that it answers.
    reply: Option<String>,
}

struct Thread {
    /// The place of the first message.
    root: String,
    /// Its event.
    event_id: String,
    /// The newest event in the thread.
    newest: String,
}

impl Content {
    /// One that is said once.
    pub(super) fn once(json: Json) -> Self {
        Self { json, copy: false }
    }
}

impl Relation {
    /// Writes it into a content.
    pub(super) fn put_into(&self, content: &mut Content) {
        let relation = match (&self.thread, &self.reply) {
            (Some(thread), _) if content.copy => json!({ "m.in_reply_to": { "event_id": thread.event_id } }),
            (Some(thread), reply) => json!({
                "rel_type": "m.thread",
                "event_id": thread.event_id,
                "is_falling_back": reply.is_none(),
                "m.in_reply_to": { "event_id": reply.as_ref().unwrap_or(&thread.newest) },
            }),
            (None, Some(reply)) => json!({ "m.in_reply_to": { "event_id": reply } }),
            (None, None) => return,
        };
        if let Some(content) = content.json.as_object_mut() {
            content.insert("m.relates_to".to_owned(), relation);
        }
    }

    /// The place of the root of the thread that a content goes to.
    pub(super) fn thread_of(&self, content: &Content) -> Option<&str> {
        self.thread.as_ref().filter(|_| !content.copy).map(|thread| thread.root.as_str())
    }

    /// Whether it is in a thread that is known.
    pub(super) fn is_threaded(&self) -> bool {
        self.thread.is_some()
    }

    /// The next part of the message follows this event.
    pub(super) fn follow(&mut self, event_id: &str) {
        self.reply = None;
        if let Some(thread) = &mut self.thread {
            event_id.clone_into(&mut thread.newest);
        }
    }
}

impl PortalObject {
    /// The contents of a message; what is also shown outside of its thread comes twice.
    pub(super) fn contents_of(
        &self,
        message: &RemoteMessage,
        raw: &RawValue,
        names: &KnownNames,
        threaded: bool,
    ) -> Vec<Content> {
        let contents = self.network.to_matrix(raw, names);
        let copies = if threaded && message.also_in_channel { contents.clone() } else { Vec::new() };
        let threaded = contents.into_iter().map(|json| Content { json, copy: false });
        threaded.chain(copies.into_iter().map(|json| Content { json, copy: true })).collect()
    }

    /// What a message answers, as far as it is known.
    pub(super) fn relation_of(&self, message: &RemoteMessage) -> Result<Relation> {
        let thread = match &message.thread_root {
            // A thread's first message is in none for Matrix.
            Some(root) if *root != message.id => self.thread(root)?,
            _ => None,
        };
        let reply = match &message.reply_to {
            Some(target) => self.first_part(target)?.map(|part| part.event_id),
            None => None,
        };
        Ok(Relation { thread, reply })
    }

    fn thread(&self, root: &str) -> Result<Option<Thread>> {
        let Some(first) = self.first_part(root)? else { return Ok(None) };
        let newest = changes::newest_reply(self.database.as_query(), &first.place)?;
        let newest = newest.unwrap_or_else(|| first.event_id.clone());
        Ok(Some(Thread { root: first.place, event_id: first.event_id, newest }))
    }

    /// The first part of the message with this remote id.
    pub(super) fn first_part(&self, remote_id: &str) -> Result<Option<MappedMessage>> {
        let Some(place) = self.network.place(remote_id) else { return Ok(None) };
        Ok(changes::list_parts(self.database.as_query(), &place)?.into_iter().next())
    }
}
