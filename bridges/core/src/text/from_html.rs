//! Reads the HTML of Matrix clients.
//!
//! `ruma` parses; here its elements become blocks and styled spans. Whitespace is folded as browsers
//! do it, links to people and rooms become mentions where the other side knows them, reply
//! fallbacks go. `None` means that the HTML is not one to parse (`html_guard`), and that the plain
//! body has to do. See <https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes>.

use super::document::{Block, Document, Inline, List, Row, Span, Style, push_char, spans_of};
use super::html_guard::is_well_nested;
use super::names::Addresses;
use super::normalise::normalise;
use ruma::RoomOrAliasId;
use ruma::html::matrix::{AnchorUri, ImageData, MatrixElement, OrderedListData, SpanData};
use ruma::html::{Html, NodeRef};
use ruma::matrix_uri::MatrixId;

/// Reads HTML.
pub fn from_html(html: &str, addresses: &dyn Addresses) -> Option<Document> {
    if !is_well_nested(html) {
        return None;
    }
    let html = Html::parse(html);
    let mut reader = Reader::new(addresses);
    html.children().for_each(|node| reader.node(&node, &Style::default()));
    Some(normalise(Document { blocks: reader.finish() }))
}

struct Reader<'a> {
    addresses: &'a dyn Addresses,
    blocks: Vec<Block>,
    line: Vec<Span>,
    /// Whitespace that counts once something follows it on the line.
    space: Option<Style>,
    last: char,
}

impl<'a> Reader<'a> {
    fn new(addresses: &'a dyn Addresses) -> Self {
        Self { addresses, blocks: Vec::new(), line: Vec::new(), space: None, last: '\n' }
    }

    fn finish(mut self) -> Vec<Block> {
        self.end_line();
        self.blocks
    }

    /// Ends the paragraph, if there is one.
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.blocks.push(Block::Paragraph(std::mem::take(&mut self.line)));
        }
        self.space = None;
        self.last = '\n';
    }

    fn block(&mut self, block: Block) {
        self.end_line();
        self.blocks.push(block);
    }

    fn push(&mut self, inline: Inline, style: &Style) {
        self.settle_space();
        self.line.push(Span { inline, style: style.clone() });
        self.last = 'x';
    }

    fn text(&mut self, text: &str, style: &Style) {
        for c in text.chars() {
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                if self.last != '\n' {
                    self.space.get_or_insert_with(|| style.clone());
                }
                continue;
            }
            self.settle_space();
            // Our own writer keeps several spaces apart with non-breaking ones.
            let c = if c == '\u{a0}' && matches!(self.last, ' ' | '\n') { ' ' } else { c };
            push_char(&mut self.line, c, style);
            self.last = c;
        }
    }

    fn settle_space(&mut self) {
        if let Some(style) = self.space.take() {
            push_char(&mut self.line, ' ', &style);
            self.last = ' ';
        }
    }

    fn children(&mut self, node: &NodeRef, style: &Style) {
        node.children().for_each(|child| self.node(&child, style));
    }

    /// The blocks inside a node, read by themselves.
    fn inside(&self, node: &NodeRef, style: &Style) -> Vec<Block> {
        let mut reader = Reader::new(self.addresses);
        reader.children(node, style);
        reader.finish()
    }

    /// The spans inside a node that can hold no blocks.
    fn spans_inside(&self, node: &NodeRef, style: &Style) -> Vec<Span> {
        spans_of(normalise(Document { blocks: self.inside(node, style) }).blocks)
    }

    fn node(&mut self, node: &NodeRef, style: &Style) {
        if let Some(text) = node.as_text() {
            return self.text(&text.borrow(), style);
        }
        let Some(element) = node.as_element() else { return };
        let with = |change: fn(&mut Style)| {
            let mut style = style.clone();
            change(&mut style);
            style
        };
        match element.to_matrix().element {
            MatrixElement::B | MatrixElement::Strong => self.children(node, &with(|style| style.bold = true)),
            MatrixElement::I | MatrixElement::Em => self.children(node, &with(|style| style.italic = true)),
            MatrixElement::Del | MatrixElement::S => self.children(node, &with(|style| style.strike = true)),
            MatrixElement::U => self.children(node, &with(|style| style.underline = true)),
            MatrixElement::Sub => self.children(node, &with(|style| style.small = true)),
            MatrixElement::Code(_) => self.children(node, &with(|style| style.code = true)),
            MatrixElement::A(link) => self.link(node, style, link.href),
            MatrixElement::Img(image) => self.image(&image, style),
            MatrixElement::Span(span) => self.span(node, style, &span),
            MatrixElement::Br => {
                self.space = None;
                self.line.push(Span::text("\n", style.clone()));
                self.last = '\n';
            }
            MatrixElement::Hr => self.block(Block::Rule),
            MatrixElement::H(heading) => {
                let spans = self.spans_inside(node, style);
                self.block(Block::Heading { level: heading.level.value(), spans });
            }
            MatrixElement::Blockquote => {
                let inside = self.inside(node, style);
                self.block(Block::Quote(inside));
            }
            MatrixElement::Pre => self.block(code(node)),
            MatrixElement::Ul => self.list(node, style, false, 1),
            MatrixElement::Ol(OrderedListData { start, .. }) => {
                let start = start.and_then(|start| u64::try_from(start).ok()).unwrap_or(1);
                self.list(node, style, true, start);
            }
            MatrixElement::Table => self.table(node, style),
            MatrixElement::Summary => {
                let spans = self.spans_inside(node, &with(|style| style.bold = true));
                self.block(Block::Paragraph(spans));
            }
            MatrixElement::P | MatrixElement::Div(_) | MatrixElement::Details | MatrixElement::Li => {
                self.end_line();
                self.children(node, style);
                self.end_line();
            }
            MatrixElement::MatrixReply => {}
            MatrixElement::Other(name) => match &*name.local {
                "strike" => self.children(node, &with(|style| style.strike = true)),
                "ins" => self.children(node, &with(|style| style.underline = true)),
                "tt" | "kbd" => self.children(node, &with(|style| style.code = true)),
                _ => self.children(node, style),
            },
            _ => self.children(node, style),
        }
    }

    fn link(&mut self, node: &NodeRef, style: &Style, href: Option<AnchorUri>) {
        let (id, url) = match href {
            Some(AnchorUri::MatrixTo(uri)) => (Some(uri.id().clone()), uri.to_string()),
            Some(AnchorUri::Matrix(uri)) => {
                let id = uri.id().clone();
                (Some(id), uri.to_string())
            }
            Some(AnchorUri::Other(url)) => (None, url.to_string()),
            _ => return self.children(node, style),
        };
        let mut linked = style.clone();
        linked.link = Some(url);
        match id {
            Some(MatrixId::User(user)) => {
                if let Some(user) = self.addresses.user(&user) {
                    return self.push(Inline::User(user, None), style);
                }
            }
            Some(MatrixId::Room(room)) => {
                if let Some(channel) = self.addresses.channel(<&RoomOrAliasId>::from(&*room)) {
                    return self.push(Inline::Channel(channel, None), style);
                }
            }
            Some(MatrixId::RoomAlias(alias)) => {
                if let Some(channel) = self.addresses.channel(<&RoomOrAliasId>::from(&*alias)) {
                    return self.push(Inline::Channel(channel, None), style);
                }
            }
            Some(MatrixId::Event(room, event)) => {
                linked.link = self.addresses.permalink(&room, &event).or(linked.link);
            }
            _ => {}
        }
        self.children(node, &linked);
    }

    /// A custom emoji is an image whose text is its name; of another image only the text is left.
    fn image(&mut self, image: &ImageData, style: &Style) {
        let text = image.alt.as_ref().or(image.title.as_ref()).map(|text| text.trim()).unwrap_or_default();
        match text.strip_prefix(':').and_then(|text| text.strip_suffix(':')) {
            Some(name) if is_emoji_name(name) => {
                let emoji = self.addresses.emoji(name, image.src.as_deref());
                self.push(emoji, style);
            }
            _ if text.is_empty() => self.push(Inline::Text("[image]".to_owned()), style),
            _ => self.push(Inline::Text(text.to_owned()), style),
        }
    }

    /// Where the network hides nothing, a spoiler is announced; its reason is said everywhere.
    fn span(&mut self, node: &NodeRef, style: &Style, span: &SpanData) {
        let Some(reason) = &span.spoiler else { return self.children(node, style) };
        let hides = self.addresses.hides_spoilers();
        match (reason.trim(), hides) {
            ("", true) => {}
            ("", false) => self.push(Inline::Text("[spoiler] ".to_owned()), style),
            (reason, true) => self.push(Inline::Text(format!("{reason}: ")), style),
            (reason, false) => self.push(Inline::Text(format!("[spoiler: {reason}] ")), style),
        }
        self.children(node, &Style { spoiler: style.spoiler || hides, ..style.clone() });
    }

    fn list(&mut self, node: &NodeRef, style: &Style, ordered: bool, start: u64) {
        let mut items: Vec<Vec<Block>> = Vec::new();
        for child in node.children() {
            let inside = if is_element(&child, &["li"]) {
                Some(self.inside(&child, style))
            } else {
                // A list directly inside a list belongs to the item before it.
                let mut reader = Reader::new(self.addresses);
                reader.node(&child, style);
                let stray = reader.finish();
                match items.last_mut() {
                    Some(last) if !stray.is_empty() => {
                        last.extend(stray);
                        None
                    }
                    _ => (!stray.is_empty()).then_some(stray),
                }
            };
            items.extend(inside);
        }
        self.block(Block::List(List { ordered, start, items }));
    }

    fn table(&mut self, node: &NodeRef, style: &Style) {
        let mut rows = Vec::new();
        self.rows(node, style, &mut rows);
        self.block(Block::Table(rows));
    }

    fn rows(&mut self, node: &NodeRef, style: &Style, rows: &mut Vec<Row>) {
        for child in node.children() {
            if is_element(&child, &["tr"]) {
                let cells: Vec<NodeRef> = child.children().filter(|cell| cell.as_element().is_some()).collect();
                let header = !cells.is_empty() && cells.iter().all(|cell| is_element(cell, &["th"]));
                rows.push(Row { header, cells: cells.iter().map(|cell| self.spans_inside(cell, style)).collect() });
            } else if is_element(&child, &["thead", "tbody"]) {
                self.rows(&child, style, rows);
            } else if child.as_element().is_some() {
                // A caption, or what has no place in a table.
                let spans = self.spans_inside(&child, style);
                self.block(Block::Paragraph(spans));
            }
        }
    }
}

fn is_element(node: &NodeRef, names: &[&str]) -> bool {
    node.as_element().is_some_and(|element| names.contains(&&*element.name.local))
}

fn is_emoji_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\''))
}

fn code(pre: &NodeRef) -> Block {
    let mut language = None;
    let mut text = String::new();
    code_text(pre, &mut text, &mut language);
    Block::Code { language, spans: vec![Span::plain(text)] }
}

fn code_text(node: &NodeRef, text: &mut String, language: &mut Option<String>) {
    for child in node.children() {
        if let Some(part) = child.as_text() {
            text.push_str(&part.borrow());
        }
        let Some(element) = child.as_element() else { continue };
        match element.to_matrix().element {
            MatrixElement::Br => text.push('\n'),
            MatrixElement::Code(data) => {
                *language = language.take().or_else(|| data.language.as_ref().map(ToString::to_string));
            }
            _ => {}
        }
        code_text(&child, text, language);
    }
}
