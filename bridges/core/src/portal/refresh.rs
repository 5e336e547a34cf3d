//! What a network changes of a message without its sender: previews of links that come, files that go.
//!
//! None of it is an edit by a person, so nothing shows as one. A preview is said once, in a notice of the bot's that
//! belongs to the message: it goes with it, and when an edit says it anew. A file that is gone is redacted.

use hubbub_core::error::Result;
use hubbub_storage::portal::{
    self as store, MappedMessage,
    changes::{self, DELETED, FILE_PARTS},
};
use serde_json::{json, value::RawValue};

use super::{
    PortalObject,
    inbound::{Applied, Effect},
    relation::Content,
    show::{Part, transaction_id},
};
use crate::network::{RemoteMessage, RemoteRefresh};

/// The number of a message's first part that is a preview.
const PREVIEW_PARTS: i64 = 2_000;

/// Previews of one message that are shown.
const MOST_PREVIEWS: usize = 10;

impl PortalObject {
    pub(super) async fn apply_refresh(&self, refresh: &RemoteRefresh, raw: &RawValue) -> Result<Applied> {
        let message = &refresh.message;
        let parts = changes::list_parts(self.database.as_query(), &message.place.place)?;
        let Some(first) = parts.first() else {
            return Ok(Applied::Unknown(message.place.place.clone()));
        };
        if first.edited == DELETED {
            return Ok(Applied::Done(Vec::new()));
        }
        let mut effects = self.take_files_back(message, &parts, raw).await?;
        // Of what was written here the client shows previews of its own.
        if store::find_outbound(self.database.as_query(), &first.event_id)?.is_none() {
            effects.extend(self.show_previews(refresh, &parts, raw).await?);
        }
        Ok(Applied::Done(effects))
    }

    /// Redacts what shows files that the message has no more.
    pub(super) async fn take_files_back(
        &self,
        message: &RemoteMessage,
        parts: &[MappedMessage],
        raw: &RawValue,
    ) -> Result<Vec<Effect>> {
        let (before, gone) = self.network.files_gone(raw);
        let files: Vec<_> = parts.iter().filter(|part| (FILE_PARTS..PREVIEW_PARTS).contains(&part.part)).collect();
        // What was taken back already is in the map no more, and the others stand elsewhere now.
        if files.len() != before {
            return Ok(Vec::new());
        }
        let gone: Vec<_> = gone.into_iter().filter_map(|index| files.get(index).copied()).collect();
        self.take_parts_back(message, &gone).await
    }

    /// Redacts the previews of a message that says something else now, and them with it.
    pub(super) async fn take_previews_back(
        &self,
        message: &RemoteMessage,
        parts: &[MappedMessage],
    ) -> Result<Vec<Effect>> {
        let previews: Vec<_> = parts.iter().filter(|part| part.part >= PREVIEW_PARTS).collect();
        self.take_parts_back(message, &previews).await
    }

    async fn take_parts_back(&self, message: &RemoteMessage, parts: &[&MappedMessage]) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        for part in parts {
            let transaction = format!("{}-{}-gone-{}", self.facts().id, message.id, part.part);
            self.redact(&part.event_id, part.sender.as_deref(), &transaction).await?;
            effects.push(Effect::PartGone { place: part.place.clone(), part: part.part });
        }
        Ok(effects)
    }

    async fn show_previews(
        &self,
        refresh: &RemoteRefresh,
        parts: &[MappedMessage],
        raw: &RawValue,
    ) -> Result<Vec<Effect>> {
        let message = &refresh.message;
        let names = self.names_for(raw).await?;
        let mut effects = Vec::new();
        for (index, mut preview) in self.network.previews_in(raw, &names).into_iter().take(MOST_PREVIEWS) {
            let part = PREVIEW_PARTS.saturating_add(i64::from(index));
            let Some(first) = parts.first().filter(|_| parts.iter().all(|known| known.part != part)) else { continue };
            if let Some(fields) = preview.as_object_mut() {
                fields.insert("msgtype".to_owned(), "m.notice".into());
                fields.insert("m.mentions".to_owned(), json!({}));
                fields.insert("m.relates_to".to_owned(), json!({ "m.in_reply_to": { "event_id": first.event_id } }));
            }
            let mut content = Content::once(preview);
            let relation = self.relation_of(message)?;
            if relation.is_threaded() {
                relation.put_into(&mut content);
            }
            let shown = Part {
                room: self.room_id()?,
                kind: "m.room.message",
                transaction: transaction_id(self.facts(), message, part),
                sent_at: refresh.at,
                content: &content.json,
            };
            let event_id = shown.send_as(&self.matrix.bot(), &content.json).await?;
            effects.push(Effect::Shown(MappedMessage {
                place: message.place.place.clone(),
                part,
                remote_id: message.id.clone(),
                event_id,
                sender: Some(self.matrix.bot_id()?.to_string()),
                edited: message.edited,
                thread_root: message.thread_root.clone(),
            }));
        }
        Ok(effects)
    }
}
