//! Nests Slack's lists, which are flat: each `rich_text_list` has an `indent`, and a list that goes
//! on after a nested one is a new element whose `offset` counts the items before it.

use super::{json, rich_text};
use hubbub_bridge::text::document::{Block, List};
use serde_json::Value;

/// Slack's own clients indent no deeper; more would only cost nesting.
const DEEPEST: u64 = 16;

/// Adds a `rich_text_list` after the blocks before it, inside them where its indent says so.
pub(super) fn push_list(blocks: &mut Vec<Block>, element: &Value) {
    let number = |key| element.get(key).and_then(Value::as_u64).unwrap_or(0);
    let list = List {
        ordered: json::text(element, "style") == Some("ordered"),
        start: number("offset").saturating_add(1),
        items: json::list(element, "elements").map(item).collect(),
    };
    push_at(blocks, list, number("indent").min(DEEPEST));
}

fn item(element: &Value) -> Vec<Block> {
    match json::kind(element) {
        "rich_text_section" => vec![Block::Paragraph(rich_text::spans(element))],
        // Anything else that can be an item is an element of its own.
        _ => rich_text::read(&serde_json::json!({ "elements": [element] })),
    }
}

fn push_at(blocks: &mut Vec<Block>, list: List, indent: u64) {
    if let Some(Block::List(before)) = blocks.last_mut() {
        if indent > 0
            && let Some(item) = before.items.last_mut()
        {
            return push_at(item, list, indent - 1);
        }
        let next = before.start.saturating_add(before.items.len() as u64);
        if before.ordered == list.ordered && (!list.ordered || list.start == next) {
            before.items.extend(list.items);
            return;
        }
    }
    blocks.push(Block::List(list));
}
