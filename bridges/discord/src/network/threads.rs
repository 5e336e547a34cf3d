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
