//! The presence section of a `/sync`: the latest value of each room-mate that changed since.

use serde_json::{Map, json};

use super::{View, body::Events};
use crate::{error::Result, filter};

impl View<'_> {
    /// What room-mates show; never the user's own, which would end one's own wait. A first sync
    /// leaves out who is offline.
    pub(super) fn presence(&self) -> Result<Option<Events>> {
        let mut events = Vec::new();
        for mate in hubbub_storage::user::presence::list_changed(self.query, self.since.unwrap_or(-1))? {
            let offline = mate.presence == "offline";
            if (offline && self.since.is_none())
                || self.is_ignored(Some(&mate.user_id))
                || !filter::allows_presence(&self.filter.presence, &mate.user_id)
            {
                continue;
            }
            let mut content = Map::new();
            content.insert("presence".to_owned(), mate.presence.as_str().into());
            if mate.active_at > 0 {
                content.insert("last_active_ago".to_owned(), (self.now - mate.active_at).max(0).into());
            }
            if let Some(status) = mate.status_msg {
                content.insert("status_msg".to_owned(), status.into());
            }
            content.insert("currently_active".to_owned(), (mate.presence == "online").into());
            let event = json!({"type": "m.presence", "sender": mate.user_id, "content": content});
            events.push(serde_json::value::to_raw_value(&event)?);
        }
        Ok((!events.is_empty()).then_some(Events { events }))
    }
}
