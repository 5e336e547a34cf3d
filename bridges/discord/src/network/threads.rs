//! Threads, and the posts of forums, which are threads: channels of their own inside a channel
//! ([docs](https://docs.discord.com/developers/topics/threads)).

use hubbub_bridge::network::{RemoteError, RemoteThread, ThreadStart};
use serde_json::{
    Value as Json, json,
    value::{RawValue, to_raw_value},
};

use super::{Discord, id_of};
use crate::{
    events::{
        self,
        space::{self, Kind, SpaceEvent},
    },
    rest::Call,
};

/// What the stored events that tell of threads start with.
const TELLING: [&str; 2] = [r#"{"t":"THREAD_"#, r#"{"t":"GUILD_CREATE""#];

impl Discord {
    /// The thread that a channel is.
    pub(super) async fn read_thread(&self, token: &str, channel: &str) -> Result<Option<RemoteThread>, RemoteError> {
        let found: Json = self.call(token, Call::channel(id_of(channel)?)).await?;
        Ok(space::channel(&found, None).and_then(thread))
    }
}

fn thread(channel: space::Channel) -> Option<RemoteThread> {
    let parent = channel.parent.filter(|_| channel.kind == Kind::Thread)?;
    Some(RemoteThread { id: channel.id, parent, name: channel.name })
}

/// The threads that a stored event tells of.
pub(super) fn threads_in(body: &str) -> Vec<RemoteThread> {
    if !TELLING.iter().any(|start| body.starts_with(start)) {
        return Vec::new();
    }
    let Some(stored) = events::envelope(body) else { return Vec::new() };
    let channels = match space::read(&stored.name, &stored.data) {
        SpaceEvent::ThreadCreate(thread) | SpaceEvent::ThreadUpdate(thread) => vec![thread],
        SpaceEvent::ThreadList { threads, .. } => threads,
        SpaceEvent::GuildCreate(guild) => guild.threads,
        _ => Vec::new(),
    };
    channels.into_iter().filter_map(thread).collect()
}

/// A message of a history, which says itself in which thread it is if it is in one.
pub(super) fn raw(message: &Json, thread: Option<&str>) -> Option<Box<RawValue>> {
    match thread {
        Some(thread) => RawValue::from_string(events::of_thread(message, thread)).ok(),
        None => to_raw_value(message).ok(),
    }
}

/// What stands for the first message of a thread.
pub(super) fn start(event: &RawValue) -> Option<ThreadStart> {
    let (id, name) = events::thread_of(event)?;
    let name = if name.trim().is_empty() { "A thread" } else { name.trim() };
    let content = json!({ "msgtype": "m.notice", "body": format!("🧵 {name}"), "m.mentions": {} });
    Some(ThreadStart { content, sent_at: id.milliseconds() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, data: &Json) -> Vec<RemoteThread> {
        threads_in(&format!(r#"{{"t":"{name}","s":1,"at":1,"d":{data}}}"#))
    }

    #[test]
    fn threads_are_learned_from_whatever_tells_of_them() {
        let raw = json!({ "id": "20", "type": 11, "parent_id": "10", "name": "Plans", "thread_metadata": {} });
        let plans = vec![RemoteThread { id: "20".to_owned(), parent: "10".to_owned(), name: "Plans".to_owned() }];
        assert_eq!(told("THREAD_CREATE", &raw), plans);
        assert_eq!(told("THREAD_UPDATE", &raw), plans);
        assert_eq!(told("THREAD_LIST_SYNC", &json!({ "guild_id": "1", "threads": [raw] })), plans);
        let channels = json!([{ "id": "10", "type": 0, "name": "general" }]);
        assert_eq!(
            told("GUILD_CREATE", &json!({ "id": "1", "name": "G", "channels": channels, "threads": [raw] })),
            plans
        );
        assert_eq!(told("THREAD_CREATE", &json!({ "id": "20", "type": 0, "parent_id": "10" })), []);
        assert_eq!(told("CHANNEL_CREATE", &raw), []);
    }

    #[test]
    fn a_stored_event_keeps_its_thread_and_its_own_words() {
        let body = r#"{"t":"MESSAGE_CREATE","s":7,"at":8,"d":{"id":"21","channel_id":"20","content":"}"}}"#;
        let event = RawValue::from_string(events::in_thread(body, "20", "Pl\"ans")).unwrap();
        assert_eq!(events::thread_of(&event), Some((crate::remote_id::Snowflake(20), "Pl\"ans".to_owned())));
        let message = events::message_of(&event).unwrap();
        assert_eq!((&message["content"], message.get(events::TITLE)), (&json!("}"), None));
        let first = RawValue::from_string(events::in_thread(&body.replace("21", "20"), "20", "Plans")).unwrap();
        assert_eq!(events::message_of(&first).unwrap()[events::TITLE], "Plans");
        assert_eq!(start(&event).unwrap().content["body"], "🧵 Pl\"ans");
    }
}
