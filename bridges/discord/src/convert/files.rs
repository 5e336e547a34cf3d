//! Attachments and stickers: what is to be copied, and what to say where it is not.

use super::json;
use base64::Engine as _;
use hubbub_bridge::text::document::{Block, Span};
use serde_json::Value;

/// Discord's flag of an attachment that is a spoiler in newer clients.
const SPOILER: u32 = 3;
/// Discord's flag of a voice message.
const VOICE: u32 = 13;

/// How the files of a message appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// As lines with their names.
    AsLines,
    /// Not in the text: the caller sends them as events.
    ByThemselves,
}

/// A file of a message. Its address expires within a day, so it is fetched when it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Discord's id of it: the part of the message that it is.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type, if Discord says so.
    pub mime: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Where it is now.
    pub url: String,
    /// Width and height of a picture or film.
    pub pixels: Option<(u64, u64)>,
    /// How long a sound is, in milliseconds.
    pub duration: Option<u64>,
    /// How loud a voice message is, from 0 to 1024, at equal intervals.
    pub waveform: Vec<u64>,
    /// What its author says about it.
    pub caption: Option<String>,
    /// Whether it is hidden until somebody wants to see it.
    pub spoiler: bool,
    /// Whether it is a voice message.
    pub voice: bool,
    /// Whether it is a sticker.
    pub sticker: bool,
}

/// The files of a message, those of its forwards included.
#[must_use]
pub fn files(message: &Value) -> Vec<RemoteFile> {
    let snapshots = json::list(message, "message_snapshots").filter_map(|snapshot| snapshot.get("message"));
    std::iter::once(message).chain(snapshots.take(10)).flat_map(own).collect()
}

fn own(message: &Value) -> impl Iterator<Item = RemoteFile> {
    let voice = json::flag(message, VOICE);
    let attachments = json::list(message, "attachments").filter_map(move |file| attachment(file, voice));
    attachments.chain(stickers(message).filter_map(sticker))
}

fn attachment(file: &Value, voice: bool) -> Option<RemoteFile> {
    let name = json::text(file, "title").or_else(|| json::text(file, "filename")).unwrap_or("file");
    let seconds = file.get("duration_secs").and_then(Value::as_f64).filter(|seconds| (0.0..1e7).contains(seconds));
    let filename = json::text(file, "filename").unwrap_or_default();
    Some(RemoteFile {
        id: json::text(file, "id")?.to_owned(),
        name: name.to_owned(),
        mime: json::text(file, "content_type").map(str::to_owned),
        size: json::number(file, "size"),
        url: json::text(file, "url")?.to_owned(),
        pixels: json::number(file, "width").zip(json::number(file, "height")),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10^10, checked above"
        )]
        duration: seconds.map(|seconds| (seconds * 1_000.0) as u64),
        waveform: json::text(file, "waveform").map(waveform).unwrap_or_default(),
        caption: json::text(file, "description").map(str::to_owned),
        spoiler: filename.starts_with("SPOILER_") || json::flag(file, SPOILER),
        voice,
        sticker: false,
    })
}

/// Up to 256 bytes in base64.
fn waveform(text: &str) -> Vec<u64> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    bytes.into_iter().take(256).map(|byte| u64::from(byte).saturating_mul(1_024) / 255).collect()
}

fn stickers(message: &Value) -> impl Iterator<Item = &Value> {
    json::list(message, "sticker_items").chain(json::list(message, "stickers"))
}

/// A sticker's picture. Format 3 is an animation that no client of Matrix plays: its name is shown.
fn sticker(sticker: &Value) -> Option<RemoteFile> {
    let (id, name) = (json::text(sticker, "id")?, json::text(sticker, "name").unwrap_or("sticker"));
    let (host, suffix, mime) = match json::number(sticker, "format_type") {
        Some(4) => ("media.discordapp.net", "gif", "image/gif"),
        Some(3) => return None,
        _ => ("cdn.discordapp.com", "png", "image/png"),
    };
    Some(RemoteFile {
        id: id.to_owned(),
        name: name.to_owned(),
        mime: Some(mime.to_owned()),
        size: None,
        url: format!("https://{host}/stickers/{id}.{suffix}"),
        pixels: Some((320, 320)),
        duration: None,
        waveform: Vec::new(),
        caption: json::text(sticker, "description").map(str::to_owned),
        spoiler: false,
        voice: false,
        sticker: true,
    })
}

/// A line for each sticker that is no picture, with where it plays.
pub(super) fn animations(message: &Value) -> Vec<Block> {
    let stickers = stickers(message).filter(|one| json::number(one, "format_type") == Some(3));
    let link = |one: &Value| {
        let id = json::text(one, "id").filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))?;
        let url = format!("https://cdn.discordapp.com/stickers/{id}.json");
        let name = json::text(one, "name").unwrap_or("sticker");
        Some(Block::Paragraph(vec![Span::plain("🏷 "), Span::link(url, name)]))
    };
    stickers.filter_map(link).collect()
}

/// A line for each file, with its name and what is said about it.
pub(super) fn lines(message: &Value) -> Vec<Block> {
    let attachments = json::list(message, "attachments").map(|file| {
        let mark = if json::flag(message, VOICE) { "🎤" } else { "📎" };
        line(file, mark, json::text(file, "title").or_else(|| json::text(file, "filename")).unwrap_or("file"))
    });
    let stickers = stickers(message).map(|file| line(file, "🏷", json::text(file, "name").unwrap_or("sticker")));
    attachments.chain(stickers).collect()
}

fn line(file: &Value, mark: &str, name: &str) -> Block {
    match json::text(file, "description") {
        Some(description) => json::paragraph(format!("{mark} {name}: {description}")),
        None => json::paragraph(format!("{mark} {name}")),
    }
}
