//! Slack's files ([docs](https://docs.slack.dev/messaging/working-with-files)): which ones can be copied, where their
//! bytes are, and the three steps of an upload.

use hubbub_bridge::network::{FileUpload, Post, RemoteError, RemoteFile};
use hubbub_core::context::{Egress, HttpError};
use hubbub_storage::blobs::Body;
use serde::Deserialize;
use serde_json::{Value as Json, json, value::RawValue};

use crate::api::Api;

/// The largest file that Slack takes ([docs](https://slack.com/help/articles/201330736)).
pub(crate) const MOST_BYTES: u64 = 1_000_000_000;

/// The most that a refusal of the upload address may say.
const MOST_ANSWER_BYTES: u64 = 65_536;

/// Loudness in Slack's samples goes to 100, in Matrix's to 1024.
const LOUDEST: u64 = 100;

/// The message that an event is about.
fn message_of(event: &Json) -> &Json {
    match event.get("subtype").and_then(Json::as_str) {
        Some("message_changed") => event.get("message").unwrap_or(event),
        _ => event,
    }
}

/// The files of an event that can be copied.
pub(crate) fn files_in(event: &RawValue) -> Vec<RemoteFile> {
    // Nearly no event has files: those are not worth parsing.
    if !event.get().contains("url_private") {
        return Vec::new();
    }
    let event: Json = serde_json::from_str(event.get()).unwrap_or_default();
    let files = message_of(&event).get("files").and_then(Json::as_array);
    files.into_iter().flatten().filter_map(read).collect()
}

/// Takes the files that can be copied out of an event; whether nothing else is left to say.
pub(crate) fn take_out(event: &mut Json) -> bool {
    let nested = event.get("subtype").and_then(Json::as_str) == Some("message_changed");
    let message = if nested { event.get_mut("message") } else { Some(event) };
    let Some(message) = message.and_then(Json::as_object_mut) else { return false };
    let Some(files) = message.get_mut("files").and_then(Json::as_array_mut) else { return false };
    let before = files.len();
    files.retain(|file| read(file).is_none());
    let (took, none_left) = (files.len() < before, files.is_empty());
    let says = |key: &str| match message.get(key) {
        Some(Json::String(text)) => !text.is_empty(),
        Some(Json::Array(list)) => !list.is_empty(),
        _ => false,
    };
    took && none_left && !["text", "blocks", "attachments"].into_iter().any(says)
}

/// How many files that can be copied a message had, and which of them it has no more, by their places among those.
pub(crate) fn gone(old: &Json, new: &Json) -> (usize, Vec<usize>) {
    let copied = |message: &Json| -> Vec<String> {
        let files = message.get("files").and_then(Json::as_array).into_iter().flatten();
        let ids = files.filter(|file| read(file).is_some()).map(|file| file.get("id").and_then(Json::as_str));
        ids.map(|id| id.unwrap_or_default().to_owned()).collect()
    };
    let (before, there) = (copied(old), copied(new));
    let gone = before.iter().enumerate().filter(|(_, id)| !there.contains(id)).map(|(index, _)| index);
    (before.len(), gone.collect())
}

/// As [`gone`], of a `message_changed`.
pub(crate) fn gone_in(event: &RawValue) -> (usize, Vec<usize>) {
    if !event.get().contains("previous_message") || !event.get().contains("url_private") {
        return (0, Vec::new());
    }
    let event: Json = serde_json::from_str(event.get()).unwrap_or_default();
    match (event.get("previous_message"), event.get("message")) {
        (Some(old), Some(new)) => gone(old, new),
        _ => (0, Vec::new()),
    }
}

/// The ids of a message's files, copied or not.
pub(crate) fn ids_in(files: &Json) -> Vec<String> {
    files.as_array().into_iter().flatten().filter_map(|file| Some(file.get("id")?.as_str()?.to_owned())).collect()
}

/// A file object; `None` when Slack does not hold its bytes, or does not give them to this account
/// ([docs](https://docs.slack.dev/reference/objects/file-object)).
fn read(file: &Json) -> Option<RemoteFile> {
    let text = |key: &str| file.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
    let number = |key: &str| file.get(key).and_then(Json::as_u64).filter(|number| *number > 0);
    if !matches!(text("mode"), None | Some("hosted" | "snippet")) || file.get("is_external") == Some(&Json::Bool(true))
    {
        return None;
    }
    if matches!(text("file_access"), Some("access_denied" | "check_file_info" | "file_not_found")) {
        return None;
    }
    let url = text("url_private_download").or_else(|| text("url_private"))?;
    let name = text("name").or_else(|| text("title")).unwrap_or("file");
    let comment = file.pointer("/initial_comment/comment").and_then(Json::as_str);
    let samples = file.get("audio_wave_samples").and_then(Json::as_array);
    Some(RemoteFile {
        id: text("id")?.to_owned(),
        name: name.to_owned(),
        caption: text("title").filter(|title| !is_name(title, name)).or(comment).map(str::to_owned),
        mimetype: text("mimetype").map(str::to_owned),
        size: number("size"),
        dimensions: number("original_w").zip(number("original_h")),
        duration_ms: number("duration_ms"),
        voice: text("subtype") == Some("slack_audio"),
        waveform: samples
            .into_iter()
            .flatten()
            .filter_map(Json::as_u64)
            .map(|sample| sample.min(LOUDEST).saturating_mul(1_024) / LOUDEST)
            .collect(),
        spoiler: false,
        url: url.to_owned(),
        link: text("permalink").map(str::to_owned),
    })
}

/// Slack makes a title of the name when the person gave none, sometimes without its ending.
fn is_name(title: &str, name: &str) -> bool {
    title == name || name.rsplit_once('.').is_some_and(|(stem, _)| stem == title) || title == "Untitled"
}

/// The request for a file's bytes. The token goes to Slack's own hosts only: a file object may name any.
pub(crate) fn request(api_url: &str, token: &str, url: &str) -> Option<http::Request<Body>> {
    let parsed = url::Url::parse(url).ok()?;
    let configured = url::Url::parse(api_url).ok();
    let host = parsed.host_str()?;
    let is_slacks = parsed.scheme() == "https" && (host == "files.slack.com" || host.ends_with(".slack.com"));
    let is_configured = configured.is_some_and(|configured| configured.origin() == parsed.origin());
    let mut request = http::Request::builder().method(http::Method::GET).uri(url);
    if is_slacks || is_configured {
        request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::default()).ok()
}

#[derive(Deserialize)]
struct UploadAddress {
    upload_url: String,
    file_id: String,
}

#[derive(Deserialize)]
struct Completed {
    #[serde(default)]
    files: Vec<Json>,
}

impl Api<'_> {
    /// `files.getUploadURLExternal`, and the bytes to the address that it tells.
    pub(crate) async fn upload(&self, file: FileUpload) -> Result<String, RemoteError> {
        let query = [("filename".to_owned(), file.name.clone()), ("length".to_owned(), file.length.to_string())];
        let address: UploadAddress = self.get("files.getUploadURLExternal", &query).await?;
        let mimetype = file.mimetype.as_deref().unwrap_or("application/octet-stream");
        let request = http::Request::builder()
            .method(http::Method::POST)
            .uri(&address.upload_url)
            .header(http::header::CONTENT_TYPE, mimetype)
            .body(file.body)
            .map_err(|_| RemoteError::Refused("upload_address".to_owned()))?;
        let answer = self.context.http.stream(request, Egress::Stranger, file.timeout_ms).await;
        let answer = answer.map_err(|error| match error {
            HttpError::NotSent(_) => RemoteError::NotDone("the file was not sent".to_owned()),
            HttpError::Unknown(_) => RemoteError::Unknown("the upload got no answer".to_owned()),
        })?;
        let status = answer.status();
        // Read, so that the connection ends well.
        let _ = answer.into_body().read(MOST_ANSWER_BYTES).await;
        match status.as_u16() {
            200 => Ok(address.file_id),
            413 => Err(RemoteError::Refused("file_upload_size_restricted".to_owned())),
            _ => Err(RemoteError::Unknown(format!("the upload: status {status}"))),
        }
    }

    /// `files.completeUploadExternal`: the file appears in the channel; as which message Slack may not know yet.
    pub(crate) async fn complete_upload(
        &self,
        channel: &str,
        file_id: &str,
        post: &Post,
    ) -> Result<Option<String>, RemoteError> {
        let mut body = json!({ "files": [{ "id": file_id }], "channel_id": channel });
        if let Some(fields) = body.as_object_mut() {
            if let Some(thread) = &post.thread_root {
                fields.insert("thread_ts".to_owned(), thread.as_str().into());
            }
            if let Some(text) = post.content.get("text").and_then(Json::as_str).filter(|text| !text.is_empty()) {
                fields.insert("initial_comment".to_owned(), text.into());
            }
        }
        let completed: Completed = self.post("files.completeUploadExternal", &body).await?;
        Ok(completed.files.iter().find_map(|file| share_in(file, channel)))
    }

    /// The message by which a file was posted in a channel (`files.info`).
    pub(crate) async fn shared_as(&self, channel: &str, file_id: &str) -> Result<Option<String>, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            file: Json,
        }
        let answer: Answer = self.get("files.info", &[("file".to_owned(), file_id.to_owned())]).await?;
        Ok(share_in(&answer.file, channel))
    }
}

/// The first message of a channel that shows a file.
fn share_in(file: &Json, channel: &str) -> Option<String> {
    let shares = file.get("shares")?;
    let shares = ["public", "private"].into_iter().find_map(|kind| shares.get(kind)?.get(channel)?.as_array())?;
    shares.first()?.get("ts")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn token_goes_to(url: &str) -> bool {
        let request = request("https://slack.com/api/", "xoxp-secret", url).unwrap();
        request.headers().contains_key(http::header::AUTHORIZATION)
    }

    #[test]
    fn the_token_goes_to_slacks_own_hosts_only() {
        assert!(token_goes_to("https://files.slack.com/files-pri/T1-F1/download/a.png"));
        assert!(token_goes_to("https://acme.slack.com/files-pri/T1-F1/a.png"));
        for url in [
            "https://files.slack.com.evil.test/a.png",
            "https://evilslack.com/a.png",
            "http://files.slack.com/a.png",
            "https://evil.test/files.slack.com/a.png",
            "https://files.slack.com@evil.test/a.png",
        ] {
            assert!(!token_goes_to(url), "{url}");
        }
    }

    #[test]
    fn what_slack_does_not_hold_or_give_is_not_copied() {
        let file = |extra: Json| {
            let mut file =
                json!({ "id": "F1", "name": "a.png", "mode": "hosted", "url_private": "https://files.slack.com/a" });
            file.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            files_in(&to_raw_value(&json!({ "type": "message", "ts": "1.0", "files": [file] })).unwrap()).len()
        };
        assert_eq!(file(json!({})), 1);
        for extra in [
            json!({ "mode": "tombstone" }),
            json!({ "mode": "hidden_by_limit" }),
            json!({ "mode": "external", "is_external": true }),
            json!({ "file_access": "check_file_info" }),
            json!({ "file_access": "access_denied" }),
            json!({ "url_private": "" }),
        ] {
            assert_eq!(file(extra.clone()), 0, "{extra}");
        }
    }

    #[test]
    fn a_voice_message_has_its_length_and_waveform() {
        let file = json!({
            "id": "F1", "name": "audio_message.m4a", "title": "audio_message.m4a", "mimetype": "audio/mp4", "mode": "hosted",
            "subtype": "slack_audio", "duration_ms": 4_200, "audio_wave_samples": [0, 50, 100, 300], "size": 12,
            "url_private": "https://files.slack.com/a",
        });
        let read = read(&file).unwrap();
        assert!(read.voice);
        assert_eq!((read.duration_ms, read.waveform, read.caption), (Some(4_200), vec![0, 512, 1_024, 1_024], None));
    }
}
