//! Writes a document as the HTML that Matrix allows, and says whom it mentions.
//!
//! Everything that is not a tag of ours is escaped; a link with another scheme than those that the
//! specification lists is written as text. See
//! <https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes>.

use super::document::{Block, Document, Inline, List, Row, Span, Style};
use super::links;
use super::names::Names;
use ruma::events::Mentions;

/// A document as HTML.
pub fn to_html(document: &Document, names: &dyn Names) -> String {
    let mut writer = Writer { html: String::new(), names };
    writer.blocks(&document.blocks);
    writer.html
}

/// Whom a document mentions, as `m.mentions` wants it.
pub fn mentions(document: &Document, names: &dyn Names) -> Mentions {
    let mut mentions = Mentions::new();
    super::document::each_span(&document.blocks, &mut |span| match &span.inline {
        Inline::User(id, _) => mentions.user_ids.extend(names.user(id).map(|person| person.mxid)),
        Inline::Broadcast(_) => mentions.room = true,
        _ => {}
    });
    mentions
}

/// Whether a client that shows only the plain body would show less.
pub fn needs_html(document: &Document, names: &dyn Names) -> bool {
    document.blocks.iter().any(|block| match block {
        Block::Paragraph(spans) => spans.iter().any(|span| match &span.inline {
            Inline::Text(text) => {
                let linked = span.style.link.as_deref().is_some_and(|url| url != text);
                linked || Style { link: None, ..span.style.clone() } != Style::default()
            }
            Inline::User(id, _) => names.user(id).is_some(),
            Inline::Channel(id, _) => names.channel(id).is_some_and(|channel| channel.room.is_some()),
            Inline::Emoji { name, id } => names.emoji(name, id.as_deref()).is_some() || span.style != Style::default(),
            Inline::Group(..) | Inline::Broadcast(_) => span.style != Style::default(),
        }),
        _ => true,
    })
}

struct Writer<'a> {
    html: String,
    names: &'a dyn Names,
}

impl Writer<'_> {
    fn blocks(&mut self, blocks: &[Block]) {
        let is_paragraph = |index: Option<usize>| {
            index.and_then(|index| blocks.get(index)).is_some_and(|block| matches!(block, Block::Paragraph(_)))
        };
        for (index, block) in blocks.iter().enumerate() {
            match block {
                // A paragraph alone needs no tag, and clients show it more compactly without.
                Block::Paragraph(spans) if is_paragraph(index.checked_sub(1)) || is_paragraph(index.checked_add(1)) => {
                    self.element("p", |writer| writer.spans(spans));
                }
                block => self.block(block),
            }
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(spans) => self.spans(spans),
            Block::Heading { level, spans } => self.element(&format!("h{level}"), |writer| writer.spans(spans)),
            Block::Quote(inner) => self.element("blockquote", |writer| writer.blocks(inner)),
            Block::Code { language, spans } => self.code(language.as_deref(), spans),
            Block::List(list) => self.list(list),
            Block::Table(rows) => self.table(rows),
            Block::Rule => self.html.push_str("<hr>"),
        }
    }

    fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.html.push_str(&format!("<{name}>"));
        content(self);
        self.html.push_str(&format!("</{name}>"));
    }

    fn code(&mut self, language: Option<&str>, spans: &[Span]) {
        self.html.push_str("<pre><code");
        if let Some(language) = language {
            self.html.push_str(" class=\"language-");
            escape_into(&mut self.html, language);
            self.html.push('"');
        }
        self.html.push('>');
        for span in spans {
            let shown = shown(&span.inline, self.names);
            escape_into(&mut self.html, &shown);
        }
        self.html.push_str("</code></pre>");
    }

    fn list(&mut self, list: &List) {
        match (list.ordered, list.start) {
            (false, _) => self.html.push_str("<ul>"),
            (true, 1) => self.html.push_str("<ol>"),
            (true, start) => self.html.push_str(&format!("<ol start=\"{start}\">")),
        }
        for item in &list.items {
            self.element("li", |writer| writer.blocks(item));
        }
        self.html.push_str(if list.ordered { "</ol>" } else { "</ul>" });
    }

    fn table(&mut self, rows: &[Row]) {
        self.element("table", |writer| {
            for row in rows {
                writer.element("tr", |writer| {
                    for cell in &row.cells {
                        writer.element(if row.header { "th" } else { "td" }, |writer| writer.spans(cell));
                    }
                });
            }
        });
    }

    fn spans(&mut self, spans: &[Span]) {
        let mut open: Vec<Mark> = Vec::new();
        // True after whitespace that a browser would merge with the next.
        let mut after_space = true;
        for span in spans {
            let marks = marks(span);
            let kept = open.iter().zip(&marks).take_while(|(open, wanted)| open == wanted).count();
            while open.len() > kept {
                if let Some(mark) = open.pop() {
                    self.html.push_str(mark.close());
                }
            }
            for mark in marks.into_iter().skip(kept) {
                mark.open(&mut self.html);
                open.push(mark);
            }
            match &span.inline {
                Inline::Text(text) => self.text(text, &mut after_space),
                Inline::Emoji { name, id } => {
                    self.emoji(name, id.as_deref());
                    after_space = false;
                }
                inline => {
                    self.mention(inline, span.style.link.is_none());
                    after_space = false;
                }
            }
            if let Some(url) = refused_address(span) {
                self.html.push_str(" (");
                escape_into(&mut self.html, url);
                self.html.push(')');
            }
        }
        for mark in open.into_iter().rev() {
            self.html.push_str(mark.close());
        }
    }

    fn text(&mut self, text: &str, after_space: &mut bool) {
        for c in text.chars() {
            match c {
                '\n' => self.html.push_str("<br>"),
                ' ' | '\t' if *after_space => self.html.push_str("&nbsp;"),
                c => escape_char(&mut self.html, c),
            }
            *after_space = c.is_ascii_whitespace();
        }
    }

    fn emoji(&mut self, name: &str, id: Option<&str>) {
        let mut shown = String::new();
        escape_into(&mut shown, name);
        match self.names.emoji(name, id) {
            Some(picture) => {
                self.html.push_str("<img data-mx-emoticon src=\"");
                escape_into(&mut self.html, picture.as_str());
                self.html.push_str(&format!("\" alt=\":{shown}:\" title=\":{shown}:\" height=\"32\">"));
            }
            None => self.html.push_str(&format!(":{shown}:")),
        }
    }

    fn mention(&mut self, inline: &Inline, may_link: bool) {
        let address = match inline {
            Inline::User(id, _) => self.names.user(id).map(|person| person.mxid.matrix_to_uri().to_string()),
            Inline::Channel(id, _) => {
                self.names.channel(id).and_then(|channel| channel.room).map(|room| room_address(&room))
            }
            _ => None,
        };
        let shown = shown(inline, self.names);
        match address.filter(|_| may_link) {
            Some(address) => {
                Mark::Link(&address).open(&mut self.html);
                escape_into(&mut self.html, &shown);
                self.html.push_str("</a>");
            }
            None => escape_into(&mut self.html, &shown),
        }
    }
}

fn room_address(room: &ruma::RoomOrAliasId) -> String {
    match <&ruma::RoomId>::try_from(room) {
        Ok(room) => room.matrix_to_uri().to_string(),
        Err(alias) => alias.matrix_to_uri().to_string(),
    }
}

/// The text of a span, for bodies, code and labels alike.
///
/// A name must never ping the room, however somebody is called: a zero-width space breaks it.
pub fn shown(inline: &Inline, names: &dyn Names) -> String {
    let harmless = |name: &str| name.replace("@room", "@\u{200b}room");
    match inline {
        Inline::Text(text) => text.clone(),
        Inline::User(id, label) => match names.user(id) {
            Some(person) => harmless(&person.display_name),
            None => format!("@{}", harmless(label.as_deref().unwrap_or(id))),
        },
        Inline::Channel(id, label) => match names.channel(id) {
            Some(channel) => format!("#{}", harmless(&channel.name)),
            None => format!("#{}", harmless(label.as_deref().unwrap_or(id))),
        },
        Inline::Group(id, label) => {
            let name = names.group(id).or_else(|| label.clone()).unwrap_or_else(|| id.clone());
            harmless(&format!("@{name}"))
        }
        Inline::Broadcast(_) => "@room".to_owned(),
        Inline::Emoji { name, .. } => format!(":{name}:"),
    }
}

/// The address of a link that must not be one: it is shown instead.
pub fn refused_address(span: &Span) -> Option<&str> {
    let url = span.style.link.as_deref().filter(|url| !links::is_allowed(url))?;
    match &span.inline {
        Inline::Text(text) if text == url => None,
        _ => Some(url),
    }
}

#[derive(PartialEq)]
enum Mark<'a> {
    Link(&'a str),
    Tag(&'static str, &'static str),
}

impl Mark<'_> {
    fn open(&self, html: &mut String) {
        match self {
            Self::Link(url) => {
                html.push_str("<a href=\"");
                escape_into(html, url);
                html.push_str("\">");
            }
            Self::Tag(open, _) => html.push_str(open),
        }
    }

    fn close(&self) -> &'static str {
        match self {
            Self::Link(_) => "</a>",
            Self::Tag(_, close) => close,
        }
    }
}

fn marks(span: &Span) -> Vec<Mark<'_>> {
    let style = &span.style;
    let link = style.link.as_deref().filter(|url| links::is_allowed(url)).map(Mark::Link);
    let tags = [
        (style.spoiler, Mark::Tag("<span data-mx-spoiler>", "</span>")),
        (style.bold, Mark::Tag("<strong>", "</strong>")),
        (style.italic, Mark::Tag("<em>", "</em>")),
        (style.strike, Mark::Tag("<del>", "</del>")),
        (style.underline, Mark::Tag("<u>", "</u>")),
        (style.code, Mark::Tag("<code>", "</code>")),
        (style.small, Mark::Tag("<sub>", "</sub>")),
    ];
    link.into_iter().chain(tags.into_iter().filter_map(|(set, mark)| set.then_some(mark))).collect()
}

fn escape_into(html: &mut String, text: &str) {
    text.chars().for_each(|c| escape_char(html, c));
}

fn escape_char(html: &mut String, c: char) {
    match c {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        c => html.push(c),
    }
}
