//! What shows a file of the network's in the room: the file itself, or words about it.

use serde_json::{Map, Value as Json, json};

use crate::network::RemoteFile;

/// Marks a file that is hidden until somebody wants to see it
/// ([MSC4193](https://github.com/matrix-org/matrix-spec-proposals/pull/4193)).
pub(super) const SPOILER: &str = "page.codeberg.everypizza.msc4193.spoiler";

/// The content of a file whose bytes have an address here
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#mimage), voice messages as
/// [MSC3245](https://github.com/matrix-org/matrix-spec-proposals/pull/3245) says).
pub(super) fn shown(file: &RemoteFile, mxc: &str) -> Json {
    let mimetype = file.mimetype.as_deref().unwrap_or("application/octet-stream");
    let kind = match mimetype.split('/').next() {
        // What no browser shows is better saved than shown broken.
        Some("image") if is_shown(mimetype) => "m.image",
        Some("video") => "m.video",
        Some("audio") => "m.audio",
        _ => "m.file",
    };
    let mut info = Map::new();
    info.insert("mimetype".to_owned(), mimetype.into());
    info.extend(file.size.map(|size| ("size".to_owned(), size.into())));
    if let Some((width, height)) = file.dimensions.filter(|_| matches!(kind, "m.image" | "m.video")) {
        info.insert("w".to_owned(), width.into());
        info.insert("h".to_owned(), height.into());
    }
    if let Some(duration) = file.duration_ms.filter(|_| matches!(kind, "m.audio" | "m.video")) {
        info.insert("duration".to_owned(), duration.into());
    }
    let mut content = json!({
        "msgtype": kind,
        "body": file.caption.as_ref().unwrap_or(&file.name),
        "filename": file.name,
        "url": mxc,
        "info": info,
        "m.mentions": {},
    });
    if let (true, "m.audio", Some(fields)) = (file.voice, kind, content.as_object_mut()) {
        let mut audio = json!({ "duration": file.duration_ms.unwrap_or_default() });
        if let (false, Some(audio)) = (file.waveform.is_empty(), audio.as_object_mut()) {
            audio.insert("waveform".to_owned(), json!(file.waveform));
        }
        fields.insert("org.matrix.msc1767.audio".to_owned(), audio);
        fields.insert("org.matrix.msc3245.voice".to_owned(), json!({}));
    }
    if let (true, Some(fields)) = (file.spoiler, content.as_object_mut()) {
        fields.insert(SPOILER.to_owned(), true.into());
    }
    content
}

fn is_shown(mimetype: &str) -> bool {
    matches!(
        mimetype,
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif" | "image/bmp" | "image/apng"
    )
}

/// What stands in a file's place while it is on its way, or for good.
pub(super) fn words(file: &RemoteFile, why: &str) -> Json {
    let mut body = format!("📎 {}: {why}", file.name);
    if let Some(caption) = &file.caption {
        body = format!("{caption}\n{body}");
    }
    if let Some(link) = &file.link {
        body = format!("{body} {link}");
    }
    json!({ "msgtype": "m.notice", "body": body, "m.mentions": {} })
}

/// A size for people.
pub(super) fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{} kB", bytes.div_ceil(1_000))
    } else {
        format!("{} MB", bytes.div_ceil(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_message_keeps_its_length_and_its_waveform() {
        let file = RemoteFile {
            name: "audio_message.m4a".to_owned(),
            mimetype: Some("audio/mp4".to_owned()),
            duration_ms: Some(1_500),
            voice: true,
            waveform: vec![0, 512, 1_024],
            ..RemoteFile::default()
        };
        let content = shown(&file, "mxc://hub.test/a");
        assert_eq!(content["msgtype"], "m.audio");
        assert_eq!(content["info"]["duration"], 1_500);
        assert_eq!(content["org.matrix.msc1767.audio"], json!({ "duration": 1_500, "waveform": [0, 512, 1_024] }));
        assert_eq!(content["org.matrix.msc3245.voice"], json!({}));
    }

    #[test]
    fn a_drawing_that_browsers_would_run_is_a_file() {
        let file = RemoteFile { mimetype: Some("image/svg+xml".to_owned()), ..RemoteFile::default() };
        assert_eq!(shown(&file, "mxc://hub.test/a")["msgtype"], "m.file");
    }
}
