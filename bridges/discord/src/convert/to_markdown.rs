//! Writes a document as Discord's Markdown.
//!
//! What would be markup by accident is escaped, but not inside code and addresses, where Discord
//! takes everything literally. Tables become lines of cells, rules a line of dashes; headings below
//! the third level are bold.

use hubbub_bridge::text::document::{Block, Broadcast, Document, Inline, Span, Style, restyle};
use hubbub_bridge::text::lines::{list, prefixed};

/// A document as Markdown.
pub(super) fn to_markdown(document: &Document) -> String {
    blocks(&document.blocks, false)
}

/// The length of a block's Markdown as Discord counts it: in UTF-16 units.
pub(super) fn length(block: &Block) -> usize {
    self::block(block, false).encode_utf16().count()
}

fn blocks(blocks: &[Block], quoted: bool) -> String {
    let mut text = String::new();
    let mut before: Option<&Block> = None;
    for block in blocks {
        let apart = match (before, block) {
            (Some(Block::Paragraph(first)), Block::Paragraph(second)) => {
                // Small print is a line of its own.
                if is_small(first) || is_small(second) { "\n" } else { "\n\n" }
            }
            // Two lists would be one, and a line after a list or quote would belong to it.
            (Some(Block::List(_)), Block::List(_) | Block::Paragraph(_)) => "\n\n",
            (Some(_), _) => "\n",
            (None, _) => "",
        };
        text.push_str(apart);
        text.push_str(&self::block(block, quoted));
        before = Some(block);
    }
    text
}

fn is_small(spans: &[Span]) -> bool {
    !spans.is_empty() && spans.iter().all(|span| span.style.small)
}

fn block(block: &Block, quoted: bool) -> String {
    match block {
        Block::Paragraph(text) if is_small(text) => {
            let lines = self::spans(text);
            lines.split('\n').map(|line| format!("-# {line}")).collect::<Vec<_>>().join("\n")
        }
        Block::Paragraph(text) => spans(text),
        Block::Heading { level: level @ 1..=3, spans: text } => {
            let line = spans(text).replace('\n', " ");
            format!("{} {line}", "#".repeat(usize::from(*level)))
        }
        Block::Heading { spans: text, .. } => spans(&restyle(text.clone(), &Style { bold: true, ..Style::default() })),
        // Discord has quotes of one level only.
        Block::Quote(inner) if quoted => blocks(inner, true),
        Block::Quote(inner) => prefixed(&blocks(inner, true), "> ", "> "),
        Block::Code { language, spans } => {
            let code: String = spans.iter().map(|span| literal(&span.inline)).collect();
            // A fence inside would end the code.
            let code = code.replace("```", "``\u{200b}`");
            let language = language.as_deref().unwrap_or_default();
            format!("```{language}\n{code}\n```")
        }
        Block::List(list) => self::list(list, |item| blocks(item, quoted)),
        Block::Table(rows) => {
            let line = |row: &hubbub_bridge::text::document::Row| {
                let style = Style { bold: row.header, ..Style::default() };
                row.cells.iter().map(|cell| spans(&restyle(cell.clone(), &style))).collect::<Vec<_>>().join(" | ")
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Block::Rule => "⸻".to_owned(),
    }
}

/// A mark around a span.
#[derive(Clone, PartialEq)]
enum Mark {
    Link(String),
    Around(&'static str),
}

impl Mark {
    fn open(&self) -> &str {
        match self {
            Self::Link(_) => "[",
            Self::Around(mark) => mark,
        }
    }

    fn close(&self) -> String {
        match self {
            Self::Link(url) => format!("]({url})"),
            Self::Around(mark) => (*mark).to_owned(),
        }
    }
}

fn marks(span: &Span) -> Vec<Mark> {
    let style = &span.style;
    let link = style.link.as_deref().filter(|url| needs_label(span, url)).map(|url| Mark::Link(address(url)));
    let code = style.code;
    let around =
        [(style.spoiler, "||"), (style.underline, "__"), (style.strike, "~~"), (style.bold, "**"), (style.italic, "*")];
    let marks = around.into_iter().filter_map(|(set, mark)| set.then_some(Mark::Around(mark)));
    marks.chain(link).chain(code.then(|| Mark::Around(ticks(span)))).collect()
}

/// A link whose label is its address is written as the address alone. Only web addresses hide behind
/// a label, and Discord shows a label that looks like an address as it is.
fn needs_label(span: &Span, url: &str) -> bool {
    match &span.inline {
        Inline::Text(text) => text != url && is_web(url) && !text.contains("://") && !text.trim().is_empty(),
        Inline::Emoji { .. } => is_web(url),
        _ => false,
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// An address as it may stand between brackets.
fn address(url: &str) -> String {
    url.replace('(', "%28").replace(')', "%29").replace(char::is_whitespace, "%20")
}

fn ticks(span: &Span) -> &'static str {
    match &span.inline {
        Inline::Text(text) if text.contains('`') => "``",
        _ => "`",
    }
}

fn spans(spans: &[Span]) -> String {
    let mut line = Line::default();
    for (index, span) in spans.iter().enumerate() {
        let wanted = marks(span);
        let mut shown = shown(span, &line.text);
        // A bare address ends at whitespace only.
        if span.style.link.as_deref() == Some(&*shown) && goes_on(spans.get(index.saturating_add(1))) {
            shown = format!("<{shown}>");
        }
        let kept = line.open.iter().zip(&wanted).take_while(|(open, wanted)| open == wanted).count();
        line.close_down_to(kept);
        // Marks stand beside words: whitespace at the edge goes outside of them, but not out of code.
        let words = if span.style.code { &shown } else { shown.trim_start_matches([' ', '\n']) };
        line.text.push_str(shown.get(..shown.len() - words.len()).unwrap_or_default());
        if words.is_empty() {
            continue;
        }
        wanted.into_iter().skip(kept).for_each(|mark| line.begin(mark));
        line.text.push_str(words);
    }
    line.close_down_to(0);
    line.text
}

/// Whether a span continues the word before it.
fn goes_on(next: Option<&Span>) -> bool {
    match next.map(|next| &next.inline) {
        Some(Inline::Text(text)) => !text.starts_with(char::is_whitespace),
        Some(_) => true,
        None => false,
    }
}

/// A run of text with its open marks.
#[derive(Default)]
struct Line {
    text: String,
    open: Vec<Mark>,
    /// Where the last mark ends, and whether it opened something.
    last: Option<(usize, bool)>,
}

impl Line {
    fn begin(&mut self, mark: Mark) {
        self.mark(mark.open(), true);
        self.open.push(mark);
    }

    fn close_down_to(&mut self, kept: usize) {
        while self.open.len() > kept {
            let Some(mark) = self.open.pop() else { return };
            let trail = match mark {
                Mark::Around("`" | "``") => 0,
                _ => self.text.len() - self.text.trim_end_matches([' ', '\n']).len(),
            };
            let space = self.text.split_off(self.text.len() - trail);
            self.mark(&mark.close(), false);
            self.text.push_str(&space);
        }
    }

    /// Marks that would melt into one another are kept apart by a space without width. `***` opens or
    /// closes bold and italic at once.
    fn mark(&mut self, mark: &str, opens: bool) {
        let edge = mark.chars().next();
        let melts = matches!(edge, Some('*' | '_' | '~' | '|' | '`')) && self.text.chars().next_back() == edge;
        let both = self.last == Some((self.text.len(), opens)) && edge == Some('*');
        if melts && !both && !escaped_at_end(&self.text) {
            self.text.push('\u{200b}');
        }
        self.text.push_str(mark);
        self.last = Some((self.text.len(), opens));
    }
}

fn escaped_at_end(text: &str) -> bool {
    let mut backwards = text.chars().rev();
    backwards.next();
    backwards.next() == Some('\\')
}

/// What a span says, escaped where that is needed; `before` is the text so far.
fn shown(span: &Span, before: &str) -> String {
    if span.style.code {
        let text = literal(&span.inline);
        // Two ticks hold single ones; a tick at the edge needs a space.
        return if text.contains('`') { format!(" {} ", text.replace("``", "`\u{200b}`")) } else { text };
    }
    match (&span.inline, span.style.link.as_deref()) {
        (Inline::Text(text), Some(url)) if text == url && is_web(url) => url.to_owned(),
        (Inline::Text(text), Some(url)) if !needs_label(span, url) && text != url => {
            format!("{} ({url})", escape(text, before))
        }
        (Inline::Text(text), _) => escape(text, before),
        (inline, _) => literal(inline),
    }
}

fn literal(inline: &Inline) -> String {
    match inline {
        Inline::Text(text) => text.clone(),
        Inline::User(id, _) => format!("<@{id}>"),
        Inline::Channel(id, _) => format!("<#{id}>"),
        Inline::Group(id, _) => format!("<@&{id}>"),
        Inline::Broadcast(Broadcast::Here) => "@here".to_owned(),
        Inline::Broadcast(Broadcast::Channel | Broadcast::Everyone) => "@everyone".to_owned(),
        Inline::Emoji { name, id: None } => format!(":{name}:"),
        Inline::Emoji { name, id: Some(id) } => match id.strip_prefix("a:") {
            Some(id) => format!("<a:{name}:{id}>"),
            None => format!("<:{name}:{id}>"),
        },
    }
}

/// Takes the meaning from everything that would be markup.
fn escape(text: &str, before: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut line_start = before.is_empty() || before.ends_with('\n');
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let numbered = digits > 0 && rest.get(digits..).is_some_and(|rest| rest.starts_with(". "));
        match c {
            '\\' | '*' | '_' | '~' | '|' | '`' | '[' | ']' => escaped.push('\\'),
            '<' if after.starts_with(['@', '#', ':', 'a', 't', '/', 'i', 'h']) => escaped.push('\\'),
            '>' | '#' if line_start => escaped.push('\\'),
            '-' if line_start && after.starts_with([' ', '#']) => escaped.push('\\'),
            _ if line_start && numbered => {
                escaped.push_str(rest.get(..digits).unwrap_or_default());
                escaped.push('\\');
                rest = rest.get(digits..).unwrap_or_default();
                line_start = false;
                continue;
            }
            _ => {}
        }
        escaped.push(c);
        // `@everyone` in a text is no mention: a space without width breaks it.
        if c == '@' && (after.starts_with("everyone") || after.starts_with("here")) {
            escaped.push('\u{200b}');
        }
        line_start = c == '\n' || line_start && c == ' ';
        rest = after;
    }
    escaped
}
