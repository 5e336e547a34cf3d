//! Lines with something before them, as every plain format has them.

use super::document::{Block, List};

/// A text with `first` before its first line and `others` before each other one.
#[must_use]
pub fn prefixed(text: &str, first: &str, others: &str) -> String {
    let mut lines = String::with_capacity(text.len() + first.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            lines.push('\n');
        }
        lines.push_str(if index == 0 { first } else { others });
        lines.push_str(line);
    }
    lines
}

/// A list with `- ` or a number before each item, whose other lines are as far in.
pub fn list(list: &List, item: impl Fn(&[Block]) -> String) -> String {
    let mut lines = Vec::with_capacity(list.items.len());
    let mut number = list.start;
    for blocks in &list.items {
        let mark = if list.ordered { format!("{number}. ") } else { "- ".to_owned() };
        let indent = " ".repeat(mark.len());
        lines.push(prefixed(&item(blocks), &mark, &indent));
        number = number.saturating_add(1);
    }
    lines.join("\n")
}
