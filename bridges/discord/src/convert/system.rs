//! Messages by which Discord itself speaks
//! ([docs](https://docs.discord.com/developers/resources/message#message-object-message-types)).

use super::json;
use hubbub_bridge::text::document::{Block, Inline, Span, Style};
use serde_json::Value;

/// The types that are somebody's own words: default, reply, slash command, context menu.
const SPOKEN: [u64; 4] = [0, 19, 20, 23];

/// The type of a thread's first message, which repeats the one that it hangs on.
pub(crate) const THREAD_STARTER: u64 = 21;

/// The highest type that is documented.
const KNOWN: u64 = 46;

fn kind(message: &Value) -> u64 {
    json::number(message, "type").unwrap_or(0)
}

/// Whether this version does not know what the message means.
pub(super) fn is_unknown(message: &Value) -> bool {
    kind(message) > KNOWN
}

/// What Discord says by a message; `None` for somebody's own words.
pub(super) fn read(message: &Value) -> Option<Vec<Block>> {
    let kind = kind(message);
    if SPOKEN.contains(&kind) || kind == THREAD_STARTER {
        return None;
    }
    let content = json::text(message, "content");
    let mentioned = || match json::list(message, "mentions").next().and_then(|user| json::text(user, "id")) {
        Some(id) => Inline::User(id.to_owned(), None),
        None => Inline::Text("somebody".to_owned()),
    };
    let text = |text: &str| Some(vec![json::paragraph(text)]);
    let about = |before: &str, after: &str| {
        let plain = |text: &str| Span::plain(text);
        Some(vec![Block::Paragraph(vec![
            plain(before),
            Span { inline: mentioned(), style: Style::default() },
            plain(after),
        ])])
    };
    match kind {
        1 => about("added ", " to the group"),
        2 => about("removed ", " from the group"),
        3 => text("started a call"),
        4 => text("changed the name of the channel:"),
        5 => text("changed the picture of the channel"),
        6 => text("pinned a message"),
        7 => text("joined the server"),
        8 => text(&boosted(content)),
        9..=11 => {
            let level = kind.saturating_sub(8);
            text(&format!("The server has reached level {level}. This member {}", boosted(content)))
        }
        12 => text("follows a channel of another server here:"),
        14 => text("The server is no longer in Discord's directory"),
        15 => text("The server is in Discord's directory again"),
        16 => text("The server has broken the rules of Discord's directory for a week"),
        17 => text("The server has broken the rules of Discord's directory for three weeks"),
        18 => text("started a thread:"),
        22 => text("A reminder to invite people to the server"),
        24 => text("Discord's moderation has held a message back"),
        25 => text("bought a subscription"),
        26 => text("suggests an app"),
        27 => text("started a stage:"),
        28 => text("ended the stage:"),
        29 => text("speaks on the stage"),
        31 => text("changed the topic of the stage:"),
        32 => text("bought a subscription of an app"),
        36 => text("switched the server's security measures on"),
        37 => text("switched the server's security measures off"),
        38 => text("reports a raid"),
        39 => text("reports a false alarm"),
        44 => text("bought something"),
        46 => text("A poll has ended:"),
        _ => text(&format!("A message of a kind that this bridge does not know (type {kind})")),
    }
}

/// The content of a boost is the number of boosts, if it is more than one.
fn boosted(content: Option<&str>) -> String {
    if content.is_some() { "boosted the server this many times:" } else { "boosted the server" }.to_owned()
}
