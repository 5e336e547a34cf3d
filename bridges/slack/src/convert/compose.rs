//! Reads everything that one message shows, in the order in which Slack shows it.
//!
//! Slack shows `blocks` instead of `text`, and keeps `text` for notifications. The same happens
//! here: text that blocks replace is an [alternative](Composition::alternatives), which goes to the
//! plain body alone, and only if it says something that the blocks do not.

use super::{attachments, blocks, files, json, mrkdwn};
use hubbub_bridge::text::document::{Block, Document, Inline, each_span, each_span_mut};
use hubbub_bridge::text::normalise;
use serde_json::Value;

/// What a message shows, and what it says to who cannot see that.
pub(super) struct Composition {
    /// What Slack shows.
    pub(super) document: Document,
    /// Texts that Slack shows only where it cannot show the document.
    pub(super) alternatives: Vec<Document>,
}

/// Reads a message.
pub(super) fn compose(message: &Value) -> Composition {
    let mut shown = blocks::read_all(message, "blocks");
    let mut alternatives = Vec::new();
    let text = json::text(message, "text").map(|text| text_blocks(message, text));
    match text {
        Some(text) if shown.is_empty() => shown = text,
        Some(text) => alternatives.push(text),
        None => {}
    }
    for attachment in json::list(message, "attachments") {
        shown.extend(attachments::read(attachment));
        let replaced = [attachments::replaced_text(attachment), attachments::fallback(attachment)];
        alternatives.extend(replaced.into_iter().flatten().map(mrkdwn::blocks));
    }
    shown.extend(files::lines(message));
    // Before 2018 a message had one file, in a field of its own.
    shown.extend(
        json::present(message, "file").filter(|_| message.get("files").is_none()).into_iter().flat_map(files::line),
    );
    let document = |blocks| normalise(Document { blocks });
    let alternatives: Vec<Document> = alternatives.into_iter().map(document).collect();
    let mut document = document(shown);
    borrow_labels(&mut document, &alternatives);
    Composition { document, alternatives }
}

/// Blocks name people and channels by id alone, where the text beside them may know their names.
fn borrow_labels(document: &mut Document, alternatives: &[Document]) {
    let mut known: Vec<&Inline> = Vec::new();
    for alternative in alternatives {
        each_span(&alternative.blocks, &mut |span| {
            if let Inline::User(_, Some(_)) | Inline::Channel(_, Some(_)) | Inline::Group(_, Some(_)) = &span.inline {
                known.push(&span.inline);
            }
        });
    }
    if known.is_empty() {
        return;
    }
    each_span_mut(&mut document.blocks, &mut |span| {
        let named = known.iter().find(|known| match (&span.inline, known) {
            (Inline::User(id, None), Inline::User(known, _)) => id == known,
            (Inline::Channel(id, None), Inline::Channel(known, _)) => id == known,
            (Inline::Group(id, None), Inline::Group(known, _)) => id == known,
            _ => false,
        });
        if let Some(named) = named {
            span.inline = (*named).clone();
        }
    });
}

/// `mrkdwn: false` says that the text is to be taken literally.
fn text_blocks(message: &Value, text: &str) -> Vec<Block> {
    if message.get("mrkdwn") == Some(&Value::Bool(false)) { mrkdwn::plain(text) } else { mrkdwn::blocks(text) }
}
