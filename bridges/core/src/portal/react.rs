//! Reactions of the network's people. One may come, go and come again: each coming is a generation with an event of
//! its own.

use hubbub_core::error::Result;
use hubbub_storage::portal::changes::{self, DELETED, ReactionRow};
use serde_json::json;

use super::{
    PortalObject,
    inbound::{Applied, Effect},
    show::Part,
};
use crate::network::{RemoteReaction, RemoteUnreaction};

impl PortalObject {
    pub(super) async fn apply_reaction(&self, reaction: &RemoteReaction) -> Result<Applied> {
        let Some(place) = self.network.place(&reaction.target) else {
            return Ok(Applied::Done(Vec::new()));
        };
        if self.may_echo_change(&reaction.target).await {
            return Ok(Applied::NotYet);
        }
        let parts = changes::list_parts(self.database.as_query(), &place)?;
        let Some(first) = parts.first() else {
            return Ok(Applied::Unknown(place));
        };
        if first.edited == DELETED {
            return Ok(Applied::Done(Vec::new()));
        }
        let known = self.reaction(&place, &reaction.sender.id, &reaction.key)?;
        // It is there, or this was said before it went.
        if known.as_ref().is_some_and(|known| known.event_id.is_some() || known.changed >= reaction.place.place) {
            return Ok(Applied::Done(Vec::new()));
        }
        let ghosts = self.ghosts_of(vec![reaction.sender.clone()]).await?;
        let Some(ghost) = ghosts.first() else { return Ok(Applied::Done(Vec::new())) };
        let own = ghost.user_id == self.owner()?;
        let generation = known.map_or(0, |known| known.generation.saturating_add(1));
        let shown = self.shown_reaction(&reaction.key).await?;
        let mut content = json!({
            "m.relates_to": { "rel_type": "m.annotation", "event_id": first.event_id, "key": shown.key },
        });
        if let (Some(shortcode), Some(fields)) = (shown.shortcode, content.as_object_mut()) {
            fields.insert("shortcode".to_owned(), shortcode.into());
        }
        let part = Part {
            room: self.room_id()?,
            kind: "m.reaction",
            transaction: format!("{}-r-{place}-{}-{}-{generation}", self.facts().id, reaction.sender.id, reaction.key),
            sent_at: reaction.at,
            content: &content,
        };
        let event_id = match self.show_part(&part, ghost, own).await {
            Ok(sent) => Some(sent.event_id),
            // The room will never take it: the same emoji twice, or somebody who was banned.
            Err(error) if (400..500).contains(&error.status) && !matches!(error.status, 401 | 429) => None,
            Err(error) => return Err(error),
        };
        Ok(Applied::Done(vec![Effect::Reacted(ReactionRow {
            place,
            person: reaction.sender.id.clone(),
            key: reaction.key.clone(),
            generation,
            changed: reaction.place.place.clone(),
            sender: ghost.user_id.to_string(),
            event_id,
        })]))
    }

    pub(super) async fn apply_unreaction(&self, removal: &RemoteUnreaction) -> Result<Applied> {
        let Some(place) = self.network.place(&removal.target) else {
            return Ok(Applied::Done(Vec::new()));
        };
        if self.may_echo_change(&removal.target).await {
            return Ok(Applied::NotYet);
        }
        let whose = removal.sender.as_ref().map(|person| person.id.as_str());
        let rows = changes::list_reactions(self.database.as_query(), &place)?;
        let concerned: Vec<ReactionRow> = rows
            .into_iter()
            .filter(|row| whose.is_none_or(|person| person == row.person))
            .filter(|row| removal.key.as_ref().is_none_or(|key| *key == row.key))
            .collect();
        if concerned.is_empty() && whose.is_some() {
            return Ok(Applied::Unknown(place));
        }
        let mut effects = Vec::new();
        for row in concerned.into_iter().filter(|row| row.changed < removal.place.place) {
            if let Some(event_id) = &row.event_id {
                let transaction = format!("{}-u-{event_id}", self.facts().id);
                self.redact(event_id, Some(&row.sender), &transaction).await?;
            }
            effects.push(Effect::Reacted(ReactionRow { changed: removal.place.place.clone(), event_id: None, ..row }));
        }
        Ok(Applied::Done(effects))
    }

    /// What is known of a reaction.
    pub(super) fn reaction(&self, place: &str, person: &str, key: &str) -> Result<Option<ReactionRow>> {
        let rows = changes::list_reactions(self.database.as_query(), place)?;
        Ok(rows.into_iter().find(|row| row.person == person && row.key == key))
    }
}
