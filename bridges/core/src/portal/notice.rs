//! What the bot says in a portal's room: never silence when something could not be done.

use hubbub_core::error::Result;
use hubbub_storage::portal as store;
use serde_json::json;

use super::PortalObject;

impl PortalObject {
    /// Says something in the room, once a transaction id, as a reply to an event if there is one.
    pub(super) async fn say(&self, transaction: &str, text: &str, reply_to: Option<&str>) -> Result<()> {
        let mut content = json!({ "msgtype": "m.notice", "body": text, "m.mentions": {} });
        if let (Some(event_id), Some(content)) = (reply_to, content.as_object_mut()) {
            let relation = json!({ "m.in_reply_to": { "event_id": event_id } });
            content.insert("m.relates_to".to_owned(), relation);
        }
        self.matrix.bot().send(&self.room_id()?, "m.room.message", transaction, &content, None).await?;
        Ok(())
    }

    /// Says something about a kind of thing the first time that it happens.
    pub(super) async fn say_once(&self, kind: &str, text: &str, reply_to: &str) -> Result<()> {
        if store::was_noticed(self.database.as_query(), kind)? {
            return Ok(());
        }
        self.say(&format!("once-{kind}"), text, Some(reply_to)).await?;
        self.commit(false, |transaction| Ok(store::put_noticed(transaction, kind)?))
    }
}
