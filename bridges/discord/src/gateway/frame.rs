//! The frames of the gateway
//! ([docs](https://docs.discord.com/developers/events/gateway-events#payload-structure)).
//!
//! Only the envelope is read here, so that an event with one odd field is still stored; what it says
//! is read later (`events.rs`).

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Bot, Session};

/// An event, its data as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number in the session.
    pub seq: u64,
    /// Its name, like `MESSAGE_CREATE`.
    pub name: String,
    /// Its data: JSON.
    pub data: String,
}

/// What a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Op 10: the first frame, with the heartbeat interval in milliseconds.
    Hello {
        /// The interval.
        interval: i64,
    },
    /// Op 1: Discord wants a heartbeat now.
    HeartbeatRequest,
    /// Op 11.
    HeartbeatAck,
    /// Op 7: go away and resume.
    Reconnect,
    /// Op 9.
    InvalidSession {
        /// Whether the session may be resumed.
        resumable: bool,
    },
    /// Op 0.
    Dispatch {
        /// The event.
        event: Event,
        /// The session that it opens.
        ready: Option<Ready>,
    },
    /// An opcode that means nothing to us.
    Other,
    /// No frame.
    Malformed,
}

/// What READY says about the session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ready {
    /// The session's id.
    pub session_id: String,
    /// Where it is resumed.
    #[serde(default, rename = "resume_gateway_url")]
    pub resume_url: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    op: u8,
    #[serde(default)]
    s: Option<u64>,
    #[serde(default)]
    t: Option<String>,
    #[serde(default, borrow)]
    d: Option<&'a RawValue>,
}

/// Reads a frame.
#[must_use]
pub fn read_frame(text: &str) -> Frame {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else { return Frame::Malformed };
    let data = envelope.d.map_or("null", RawValue::get);
    match envelope.op {
        0 => match (envelope.s, envelope.t) {
            (Some(seq), Some(name)) => {
                let ready = (name == "READY").then(|| serde_json::from_str(data).ok()).flatten();
                Frame::Dispatch { event: Event { seq, name, data: data.to_owned() }, ready }
            }
            _ => Frame::Malformed,
        },
        1 => Frame::HeartbeatRequest,
        7 => Frame::Reconnect,
        9 => Frame::InvalidSession { resumable: data == "true" },
        10 => hello(data),
        11 => Frame::HeartbeatAck,
        _ => Frame::Other,
    }
}

fn hello(data: &str) -> Frame {
    #[derive(Deserialize)]
    struct Hello {
        heartbeat_interval: i64,
    }
    match serde_json::from_str::<Hello>(data) {
        Ok(hello) => Frame::Hello { interval: hello.heartbeat_interval },
        Err(_) => Frame::Malformed,
    }
}

/// Op 2. A connection serves all servers of the bot, so there is one shard.
pub(super) fn identify(bot: &Bot) -> String {
    let properties = json!({ "os": "workers", "browser": "hubbub", "device": "hubbub" });
    json!({ "op": 2, "d": {
        "token": bot.token, "intents": bot.intents, "properties": properties, "shard": [0, 1],
    } })
    .to_string()
}

/// Op 6.
pub(super) fn resume(token: &str, session: &Session) -> String {
    json!({ "op": 6, "d": { "token": token, "session_id": session.id, "seq": session.seq } }).to_string()
}

/// Op 1.
pub(super) fn heartbeat(seq: Option<u64>) -> String {
    json!({ "op": 1, "d": seq }).to_string()
}
