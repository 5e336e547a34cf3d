//! What a message says, in neither network's format.
//!
//! A [`Document`] is a list of [`Block`]s; text inside a block is a list of [`Span`]s, each with one
//! flat [`Style`]. Nested HTML is flattened when read and nested
//! again when written, always in the same order. [`normalise`](super::normalise()) brings a document to the one
//! form in which equal messages are equal values.

/// A whole message, or a part of one that is sent by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The blocks, in reading order.
    pub blocks: Vec<Block>,
}

/// One block-level piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Running text; a newline in a span is a line break.
    Paragraph(Vec<Span>),
    /// A heading of level 1 to 6.
    Heading {
        /// 1 is the largest.
        level: u8,
        /// The heading's text.
        spans: Vec<Span>,
    },
    /// Quoted blocks.
    Quote(Vec<Block>),
    /// Preformatted text, whose spans' styles mean nothing.
    Code {
        /// The programming language, where somebody named it.
        language: Option<String>,
        /// The text, whitespace and newlines exactly as written.
        spans: Vec<Span>,
    },
    /// A bulleted or numbered list.
    List(List),
    /// A table, row by row.
    Table(Vec<Row>),
    /// A horizontal line.
    Rule,
}

/// A bulleted or numbered list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Whether the items are numbered.
    pub ordered: bool,
    /// The number of the first item; 1 for bulleted lists.
    pub start: u64,
    /// The items. Text comes first in each, nested lists after it.
    pub items: Vec<Vec<Block>>,
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whether the cells are column headings.
    pub header: bool,
    /// The cells' texts.
    pub cells: Vec<Vec<Span>>,
}

/// A run of text, or one mention, with its style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What is said.
    pub inline: Inline,
    /// How it looks and where it leads.
    pub style: Style,
}

impl Span {
    /// Text in a style.
    pub fn text(text: impl Into<String>, style: Style) -> Self {
        Self { inline: Inline::Text(text.into()), style }
    }

    /// Text without any style.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::text(text, Style::default())
    }

    /// Text that leads to an address.
    pub fn link(url: impl Into<String>, label: impl Into<String>) -> Self {
        Self::text(label, Style { link: Some(url.into()), ..Style::default() })
    }
}

/// What a span says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Literal text.
    Text(String),
    /// Somebody by their remote id, with the name that the message itself gave, if any.
    User(String, Option<String>),
    /// A channel by its remote id, with the name that the message itself gave, if any.
    Channel(String, Option<String>),
    /// A group of people (a role, a user group) by its remote id, with the name that the message
    /// itself gave, if any.
    Group(String, Option<String>),
    /// Everybody: Matrix knows one such mention, networks have up to three.
    Broadcast(Broadcast),
    /// A custom emoji.
    Emoji {
        /// The name, without colons.
        name: String,
        /// The network's id of it; `None` where the name is all there is.
        id: Option<String>,
    },
}

/// Whom a broadcast mention reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broadcast {
    /// The active members of the channel.
    Here,
    /// All members of the channel.
    Channel,
    /// Everybody at all.
    Everyone,
}

/// How a span looks and where it leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    /// The address that the span leads to, of whatever scheme.
    pub link: Option<String>,
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Struck through.
    pub strike: bool,
    /// Underlined.
    pub underline: bool,
    /// Inline code.
    pub code: bool,
    /// Hidden until somebody wants to see it.
    pub spoiler: bool,
    /// Small print.
    pub small: bool,
}

impl Style {
    /// The style that both have, which is that of a line break between them.
    pub fn common(&self, other: &Self) -> Self {
        Self {
            link: if self.link == other.link { self.link.clone() } else { None },
            bold: self.bold && other.bold,
            italic: self.italic && other.italic,
            strike: self.strike && other.strike,
            underline: self.underline && other.underline,
            code: self.code && other.code,
            spoiler: self.spoiler && other.spoiler,
            small: self.small && other.small,
        }
    }

    /// Both styles at once; where both lead somewhere, the inner address wins.
    pub fn with(&self, inner: &Self) -> Self {
        Self {
            link: inner.link.clone().or_else(|| self.link.clone()),
            bold: self.bold || inner.bold,
            italic: self.italic || inner.italic,
            strike: self.strike || inner.strike,
            underline: self.underline || inner.underline,
            code: self.code || inner.code,
            spoiler: self.spoiler || inner.spoiler,
            small: self.small || inner.small,
        }
    }
}

/// Appends a character, to the last span if that has the same style.
pub fn push_char(spans: &mut Vec<Span>, c: char, style: &Style) {
    if let Some(Span { inline: Inline::Text(text), style: last }) = spans.last_mut()
        && last == style
    {
        text.push(c);
    } else {
        spans.push(Span::text(c, style.clone()));
    }
}

/// Puts a style around spans that have their own already.
pub fn restyle(spans: Vec<Span>, outer: &Style) -> Vec<Span> {
    spans.into_iter().map(|span| Span { style: outer.with(&span.style), ..span }).collect()
}

/// The spans of blocks that belong on one line, lists and quotes among them flattened.
pub fn spans_of(blocks: Vec<Block>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for block in blocks {
        if !spans.is_empty() {
            spans.push(Span::plain(" "));
        }
        match block {
            Block::Paragraph(more) | Block::Heading { spans: more, .. } => spans.extend(more),
            block => each_span(&[block], &mut |span| {
                spans.push(span.clone());
                spans.push(Span::plain(" "));
            }),
        }
    }
    spans
}

/// Calls `visit` for every span of the blocks, however deep, in reading order.
pub fn each_span<'a>(blocks: &'a [Block], visit: &mut dyn FnMut(&'a Span)) {
    for block in blocks {
        match block {
            Block::Paragraph(spans) | Block::Heading { spans, .. } | Block::Code { spans, .. } => {
                spans.iter().for_each(&mut *visit);
            }
            Block::Quote(inner) => each_span(inner, visit),
            Block::List(list) => list.items.iter().for_each(|item| each_span(item, visit)),
            Block::Table(rows) => {
                rows.iter().flat_map(|row| &row.cells).flatten().for_each(&mut *visit);
            }
            Block::Rule => {}
        }
    }
}

/// Calls `change` for every span of the blocks, however deep, in reading order.
pub fn each_span_mut(blocks: &mut [Block], change: &mut dyn FnMut(&mut Span)) {
    each_run_mut(blocks, &mut |spans| spans.iter_mut().for_each(&mut *change));
}

/// Calls `change` for every run of spans that stand in one line or paragraph, code included.
pub fn each_run_mut(blocks: &mut [Block], change: &mut dyn FnMut(&mut Vec<Span>)) {
    for block in blocks {
        match block {
            Block::Paragraph(spans) | Block::Heading { spans, .. } | Block::Code { spans, .. } => change(spans),
            Block::Quote(inner) => each_run_mut(inner, change),
            Block::List(list) => list.items.iter_mut().for_each(|item| each_run_mut(item, change)),
            Block::Table(rows) => rows.iter_mut().flat_map(|row| &mut row.cells).for_each(&mut *change),
            Block::Rule => {}
        }
    }
}

/// Makes mentions of the `@room` in a text that the sender meant as such.
#[must_use]
pub fn with_broadcasts(span: Span, broadcast: Broadcast) -> Vec<Span> {
    let Span { inline: Inline::Text(text), style } = &span else { return vec![span] };
    if style.code || style.link.is_some() || !text.contains("@room") {
        return vec![span];
    }
    let mut spans = Vec::new();
    for (index, piece) in text.split("@room").enumerate() {
        if index > 0 {
            spans.push(Span { inline: Inline::Broadcast(broadcast), style: style.clone() });
        }
        if !piece.is_empty() {
            spans.push(Span::text(piece, style.clone()));
        }
    }
    spans
}
