//! Reads what stands inside blocks: pictures, buttons, menus.
//!
//! See <https://docs.slack.dev/reference/block-kit/block-elements>.

use super::blocks::{paragraph, spans_field, text, texts};
use super::json;
use hubbub_bridge::text::document::{Block, Span, Style, restyle, spans_of};
use serde_json::Value;

/// Reads interactive elements as one line of labels, and the pictures among them.
pub(super) fn labels<'a>(elements: impl Iterator<Item = &'a Value>) -> Vec<Block> {
    let mut line: Vec<Span> = Vec::new();
    let mut read = Vec::new();
    for element in elements {
        if json::kind(element) == "image" {
            read.extend(image(element));
            continue;
        }
        let label = label(element);
        if !label.is_empty() {
            if !line.is_empty() {
                line.push(Span::plain(" "));
            }
            line.extend(label);
        }
    }
    read.extend(paragraph(line));
    read
}

/// A picture: its title and what it shows, linked to the picture.
pub(super) fn image(image: &Value) -> Vec<Block> {
    let url = json::text(image, "image_url").or_else(|| image.pointer("/slack_file/url").and_then(Value::as_str));
    let title = spans_field(image, "title");
    let alt = spans_field(image, "alt_text");
    let mut line = vec![Span::plain("🖼️ ")];
    match (title.is_empty(), alt.is_empty()) {
        (false, true) => line.extend(linked(title, url)),
        (true, false) => line.extend(linked(alt, url)),
        (false, false) => {
            line.extend(linked(title, url));
            line.push(Span::plain(" – "));
            line.extend(alt);
        }
        (true, true) => line.extend(linked(vec![Span::plain(url.unwrap_or("image"))], url)),
    }
    vec![Block::Paragraph(line)]
}

/// Makes spans lead to an address, unless they lead somewhere already.
pub(super) fn linked(spans: Vec<Span>, url: Option<&str>) -> Vec<Span> {
    restyle(spans, &Style { link: url.map(str::to_owned), ..Style::default() })
}

/// Makes spans bold.
pub(super) fn bold(spans: Vec<Span>) -> Vec<Span> {
    restyle(spans, &Style { bold: true, ..Style::default() })
}

/// `[what it says]`, with the choices of a menu after its prompt.
fn label(element: &Value) -> Vec<Span> {
    let mut label: Vec<Span> = Vec::new();
    let mut say = |spans: Vec<Span>, before: &str| {
        if !spans.is_empty() {
            if !label.is_empty() {
                label.push(Span::plain(before));
            }
            label.extend(spans);
        }
    };
    for key in ["text", "placeholder", "initial_value"] {
        say(spans_field(element, key), " ");
    }
    for key in ["positive_button", "negative_button"] {
        say(element.get(key).map(|button| spans_field(button, "text")).unwrap_or_default(), " | ");
    }
    for group in json::list(element, "option_groups") {
        say(spans_field(group, "label"), " | ");
        json::list(group, "options").for_each(|option| say(choice(option), " | "));
    }
    json::list(element, "options").for_each(|option| say(choice(option), " | "));
    // Menus that fetch their choices name only those that are selected.
    let selected = json::list(element, "initial_options").chain(json::present(element, "initial_option"));
    let listed: Vec<&Value> = json::list(element, "options").collect();
    selected.filter(|option| !listed.contains(option)).for_each(|option| say(choice(option), " | "));
    if label.is_empty() {
        let texts = texts(element).join(" ");
        let shown = if texts.is_empty() { json::kind(element).replace('_', " ") } else { texts };
        label.push(Span::plain(shown));
    }
    let mut shown = vec![Span::plain("[")];
    shown.extend(label);
    shown.push(Span::plain("]"));
    let url = json::text(element, "url").or_else(|| element.pointer("/workflow/trigger/url").and_then(Value::as_str));
    linked(shown, url)
}

fn choice(option: &Value) -> Vec<Span> {
    let mut choice = option.get("text").map(|label| spans_of(text(label))).unwrap_or_default();
    let description = spans_field(option, "description");
    if !description.is_empty() {
        choice.push(Span::plain(" – "));
        choice.extend(description);
    }
    choice
}
