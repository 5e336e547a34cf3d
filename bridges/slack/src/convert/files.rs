//! Reads `files` as lines: a name that leads to Slack, until the bytes themselves are bridged.

use super::{json, mrkdwn};
use hubbub_bridge::text::document::{Block, Span};
use serde_json::Value;

/// One line for each file of a message or attachment.
pub(super) fn lines(message: &Value) -> Vec<Block> {
    json::list(message, "files").flat_map(line).collect()
}

/// The line of one file.
pub(super) fn line(file: &Value) -> Vec<Block> {
    let name = json::text(file, "name");
    let title = json::text(file, "title").filter(|title| Some(*title) != name);
    let url = ["permalink", "external_url", "url_private"].iter().find_map(|key| json::text(file, key));
    let label = name.or(title).unwrap_or_else(|| missing(file));
    let mut line = vec![Span::plain("📎 ")];
    line.push(url.map_or_else(|| Span::plain(label), |url| Span::link(url, label)));
    if let Some(title) = title.filter(|_| name.is_some()) {
        line.push(Span::plain(format!(" – {title}")));
    }
    let mut read = vec![Block::Paragraph(line)];
    // A comment that came with the upload is a message of its own kind of text.
    if let Some(comment) = file.get("initial_comment").and_then(|comment| json::text(comment, "comment")) {
        read.extend(mrkdwn::blocks(comment));
    }
    read
}

/// Slack shows some files without saying what they are
/// (<https://docs.slack.dev/reference/objects/file-object>, `mode` and `file_access`).
fn missing(file: &Value) -> &'static str {
    match (json::text(file, "mode"), json::text(file, "file_access")) {
        (Some("tombstone"), _) => "deleted file",
        (Some("hidden_by_limit"), _) => "file hidden by the workspace's limit",
        (_, Some("access_denied")) => "file that this account may not see",
        (_, Some("check_file_info")) => "file of another workspace",
        _ => "file",
    }
}
