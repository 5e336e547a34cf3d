//! Reads what a page says of itself: its Open Graph properties, and what stands for those it lacks.
//!
//! The page is cut into tokens and no tree is built, so nesting costs nothing. All values come out as
//! plain text: markup in them is dropped, and what runs is dropped with its content.

use std::cell::RefCell;

use html5ever::{
    Attribute,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::{Rawtext, Rcdata, ScriptData},
    },
};
use serde_json::{Map, Value as Json};
use url::Url;

use super::fetch::is_web;

/// How much of a page is read, in bytes of text: what it says of itself stands at its beginning.
const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// No value is longer, in characters.
const MAX_CHARACTERS: usize = 1000;
/// How much of its text stands for a missing description, in characters.
const MAX_EXCERPT: usize = 300;
/// What clients show; everything else a page may say of itself is left out.
const TEXTS: [&str; 6] = ["og:title", "og:description", "og:type", "og:site_name", "og:locale", "og:image:alt"];

/// A page's own words.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Open Graph properties but those of the image.
    pub properties: Map<String, Json>,
    /// The address of its image.
    pub image: Option<Url>,
}

/// Reads a page that was found at this address.
pub(super) fn read(html: &str, url: &Url) -> Page {
    let mut end = html.len().min(MAX_PAGE_BYTES);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    let found = tokenize(html.get(..end).unwrap_or_default());
    let meta = |names: &[&str]| {
        names.iter().find_map(|name| found.meta.iter().find(|(key, value)| key == name && !value.trim().is_empty()))
    };
    let mut properties = Map::new();
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            properties.insert(key.to_owned(), value.into());
        }
    };
    for key in TEXTS {
        set(key, meta(&[key]).map(|(_, value)| plain(value)));
    }
    let title = meta(&["og:title", "twitter:title"]).map(|(_, value)| plain(value));
    set("og:title", title.or_else(|| Some(plain(&found.title))));
    let description = meta(&["og:description", "twitter:description", "description"]).map(|(_, value)| plain(value));
    set("og:description", description.or_else(|| Some(shortened(&plain(&found.text), MAX_EXCERPT))));
    let base = found.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or_else(|| url.clone());
    let web = |address: &str| base.join(address.trim()).ok().filter(is_web);
    set("og:url", meta(&["og:url"]).and_then(|(_, value)| web(value)).map(String::from));
    let image = meta(&["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"])
        .map(|(_, value)| value.as_str())
        .or(found.image_link.as_deref())
        .or(found.icon.as_deref());
    Page { image: image.and_then(web), properties }
}

/// A value as plain text on one line.
fn plain(value: &str) -> String {
    shortened(&tokenize(value).text, MAX_CHARACTERS)
}

/// Words separated by single blanks, without control characters, cut after so many characters.
fn shortened(text: &str, most: usize) -> String {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let start: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", start.trim_end())
}

/// What the tokens of a page told.
#[derive(Default)]
struct Found {
    /// Names or properties in lower case, and contents.
    meta: Vec<(String, String)>,
    title: String,
    base: Option<String>,
    image_link: Option<String>,
    icon: Option<String>,
    /// The visible text.
    text: String,
    /// The element whose text is not shown.
    inside: Option<Hidden>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Title,
    Other,
}

#[derive(Default)]
struct Sink(RefCell<Found>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut found = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => return found.tag(&tag),
            Token::CharacterTokens(text) => found.characters(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Found {
    fn characters(&mut self, text: &StrTendril) {
        let into = match self.inside {
            None => &mut self.text,
            Some(Hidden::Title) => &mut self.title,
            Some(Hidden::Other) => return,
        };
        if into.len() < MAX_CHARACTERS * 8 {
            into.push_str(text);
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        if tag.kind == TagKind::EndTag {
            if matches!(
                &*tag.name,
                "title" | "script" | "style" | "noscript" | "template" | "textarea" | "iframe" | "svg" | "nav"
            ) {
                self.inside = None;
            }
            self.text.push(' ');
            return TokenSinkResult::Continue;
        }
        let attribute = |name: &str| value_of(&tag.attrs, name);
        match &*tag.name {
            "meta" => {
                let name = attribute("property").or_else(|| attribute("name")).or_else(|| attribute("itemprop"));
                if let (Some(name), Some(content)) = (name, attribute("content"))
                    && self.meta.len() < 200
                {
                    self.meta
                        .push((name.trim().to_ascii_lowercase(), content.chars().take(MAX_CHARACTERS * 4).collect()));
                }
            }
            "base" if self.base.is_none() => self.base = attribute("href"),
            "link" => self.link(&attribute("rel").unwrap_or_default(), attribute("href")),
            // A second title is one of a drawing.
            "title" => {
                self.inside = Some(if self.title.is_empty() { Hidden::Title } else { Hidden::Other });
                return TokenSinkResult::RawData(Rcdata);
            }
            "textarea" => {
                self.inside = Some(Hidden::Other);
                return TokenSinkResult::RawData(Rcdata);
            }
            "script" => {
                self.inside = Some(Hidden::Other);
                return TokenSinkResult::RawData(ScriptData);
            }
            "style" | "iframe" | "noembed" | "noframes" | "xmp" => {
                self.inside = Some(Hidden::Other);
                return TokenSinkResult::RawData(Rawtext);
            }
            "noscript" | "template" | "svg" | "nav" if !tag.self_closing => self.inside = Some(Hidden::Other),
            _ => self.text.push(' '),
        }
        TokenSinkResult::Continue
    }

    fn link(&mut self, rel: &str, href: Option<String>) {
        let mut words = rel.split_ascii_whitespace();
        if self.image_link.is_none() && words.clone().any(|word| word.eq_ignore_ascii_case("image_src")) {
            self.image_link = href;
        } else if self.icon.is_none() && words.any(|word| word.eq_ignore_ascii_case("icon")) {
            self.icon = href;
        }
    }
}

fn value_of(attributes: &[Attribute], name: &str) -> Option<String> {
    attributes.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| attribute.value.to_string())
}

fn tokenize(html: &str) -> Found {
    let input = BufferQueue::default();
    input.push_back(html.into());
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    // The sink never stops it.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at(html: &str) -> (Map<String, Json>, Option<String>) {
        let page = read(html, &"https://pages.example/deep/page.html".parse().unwrap());
        (page.properties, page.image.map(String::from))
    }

    #[test]
    fn open_graph_wins_over_what_else_a_page_says() {
        let (properties, image) = read_at(
            "<html><head><title>The tab</title><meta property=og:title content='The title'>\
             <META PROPERTY='og:type' CONTENT=article><meta name=og:url content='/canonical'>\
             <meta property=og:image content='../a.png'><meta name=description content=other>\
             <meta property=og:description content='A &amp; B'></head></html>",
        );
        assert_eq!(properties["og:title"], "The title");
        assert_eq!(properties["og:type"], "article");
        assert_eq!(properties["og:url"], "https://pages.example/canonical");
        assert_eq!(properties["og:description"], "A & B");
        assert_eq!(image.as_deref(), Some("https://pages.example/a.png"));
    }

    #[test]
    fn a_page_without_open_graph_is_described_by_its_title_and_text() {
        let (properties, image) = read_at(
            "<title> The\n tab </title><style>p { color: red }</style><link rel='shortcut icon' href=/i.png>\
             <script>document.write('<p>no</p>')</script><svg><title>drawing</title></svg>\
             <body><p>First</p><p>second &lt;b&gt;",
        );
        assert_eq!(properties["og:title"], "The tab");
        assert_eq!(properties["og:description"], "First second");
        assert_eq!(image.as_deref(), Some("https://pages.example/i.png"));
        assert_eq!(read_at("").0.len(), 0);
    }

    #[test]
    fn markup_in_a_value_is_dropped_and_addresses_are_of_the_web() {
        let (properties, image) = read_at(
            "<meta property=og:title content='a<script>alert(1)</script><b>c</b>'>\
             <meta property=og:url content='javascript:alert(1)'>\
             <meta property=og:image content='data:image/png;base64,AA'>\
             <meta property=og:video content='https://evil.example'>",
        );
        assert_eq!(properties["og:title"], "a c");
        assert_eq!(properties.len(), 1);
        assert_eq!(image, None);
    }

    #[test]
    fn endless_values_and_endless_nesting_are_cut() {
        let long = "x".repeat(100_000);
        let (properties, _) = read_at(&format!("<title>{long}</title>{}deep", "<div>".repeat(200_000)));
        assert_eq!(properties["og:title"].as_str().unwrap().chars().count(), MAX_CHARACTERS);
    }
}
