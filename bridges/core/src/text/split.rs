//! Cuts a document that is too long for one message into several, losing nothing.
//!
//! It is cut between blocks where that is enough, else between items, lines or words, and only at
//! last inside a word. A list that is cut goes on with its number. What cannot be cut at all, a
//! mention, is never long.

use super::document::{Block, Document, Inline, List, Row, Span};

/// Cuts blocks into documents that each measure at most `limit`.
///
/// `measure` tells the length of one block; two blocks are taken to measure their sum and a blank
/// line.
pub fn split(document: Document, limit: usize, measure: &dyn Fn(&Block) -> usize) -> Vec<Document> {
    const BLANK_LINE: usize = 2;
    let mut parts: Vec<Document> = Vec::new();
    let mut part: Vec<Block> = Vec::new();
    let mut size = 0_usize;
    for block in document.blocks {
        let length = measure(&block).saturating_add(BLANK_LINE);
        if size.saturating_add(length) > limit && !part.is_empty() {
            parts.push(Document { blocks: std::mem::take(&mut part) });
            size = 0;
        }
        if length > limit {
            parts.extend(pieces(block, limit, measure).into_iter().map(|block| Document { blocks: vec![block] }));
        } else {
            size = size.saturating_add(length);
            part.push(block);
        }
    }
    if !part.is_empty() {
        parts.push(Document { blocks: part });
    }
    parts
}

fn pieces(block: Block, limit: usize, measure: &dyn Fn(&Block) -> usize) -> Vec<Block> {
    let mut pieces = Vec::new();
    let mut waiting = vec![block];
    while let Some(block) = waiting.pop() {
        if measure(&block) <= limit {
            pieces.push(block);
            continue;
        }
        match halve(block) {
            Ok((first, second)) => {
                waiting.push(second);
                waiting.push(first);
            }
            Err(block) => pieces.push(block),
        }
    }
    pieces
}

/// Cuts a block near its middle; gives it back if it cannot be cut.
fn halve(block: Block) -> Result<(Block, Block), Block> {
    match block {
        Block::Paragraph(spans) => halve_spans(spans)
            .map(|(first, second)| (Block::Paragraph(first), Block::Paragraph(second)))
            .map_err(Block::Paragraph),
        Block::Heading { level, spans } => halve_spans(spans)
            .map(|(first, second)| (Block::Heading { level, spans: first }, Block::Heading { level, spans: second }))
            .map_err(|spans| Block::Heading { level, spans }),
        Block::Code { language, spans } => match halve_spans(spans) {
            Ok((first, second)) => {
                Ok((Block::Code { language: language.clone(), spans: first }, Block::Code { language, spans: second }))
            }
            Err(spans) => Err(Block::Code { language, spans }),
        },
        Block::Quote(inner) => {
            halve_blocks(inner).map(|(first, second)| (Block::Quote(first), Block::Quote(second))).map_err(Block::Quote)
        }
        Block::List(list) => halve_list(list),
        Block::Table(rows) => halve_table(rows),
        Block::Rule => Err(Block::Rule),
    }
}

type Halves<T> = Result<(Vec<T>, Vec<T>), Vec<T>>;

fn halve_blocks(mut blocks: Vec<Block>) -> Halves<Block> {
    if blocks.len() > 1 {
        let second = blocks.split_off(blocks.len() / 2);
        return Ok((blocks, second));
    }
    match blocks.pop() {
        Some(only) => halve(only).map(|(first, second)| (vec![first], vec![second])).map_err(|only| vec![only]),
        None => Err(blocks),
    }
}

fn halve_list(list: List) -> Result<(Block, Block), Block> {
    let List { ordered, start, mut items } = list;
    let of = |start, items| Block::List(List { ordered, start, items });
    if items.len() > 1 {
        let second = items.split_off(items.len() / 2);
        let next = start.saturating_add(items.len() as u64);
        return Ok((of(start, items), of(if ordered { next } else { 1 }, second)));
    }
    match halve_blocks(items.pop().unwrap_or_default()) {
        // The rest of an item is no item of its own.
        Ok((first, mut second)) if second.len() == 1 => {
            let rest = second.pop().unwrap_or(Block::Rule);
            Ok((of(start, vec![first]), rest))
        }
        Ok((first, second)) => Ok((of(start, vec![first]), of(start, vec![second]))),
        Err(item) => Err(of(start, vec![item])),
    }
}

fn halve_table(mut rows: Vec<Row>) -> Result<(Block, Block), Block> {
    if rows.len() > 1 {
        let second = rows.split_off(rows.len() / 2);
        return Ok((Block::Table(rows), Block::Table(second)));
    }
    let Some(Row { header, mut cells }) = rows.pop() else { return Err(Block::Table(rows)) };
    if cells.len() > 1 {
        let second = cells.split_off(cells.len() / 2);
        let of = |cells| Block::Table(vec![Row { header, cells }]);
        return Ok((of(cells), of(second)));
    }
    // One cell that is too long is better read as text.
    halve(Block::Paragraph(cells.pop().unwrap_or_default()))
}

fn halve_spans(mut spans: Vec<Span>) -> Halves<Span> {
    if spans.len() > 1 {
        let total: usize = spans.iter().map(weight).sum();
        let mut before = 0_usize;
        let mut index = 0_usize;
        for span in &spans {
            let after = before.saturating_add(weight(span));
            if after.saturating_mul(2) > total {
                break;
            }
            before = after;
            index = index.saturating_add(1);
        }
        // A long run that holds the middle is cut itself, unless it stands beside nothing.
        let heavy = spans.get(index).map_or(0, weight);
        if heavy.saturating_mul(2) > total && index < spans.len() {
            let mut rest = spans.split_off(index);
            let middle = rest.remove(0);
            return Ok(match halve_span(middle) {
                Ok((first, second)) => {
                    spans.push(first);
                    rest.insert(0, second);
                    (spans, rest)
                }
                Err(middle) if spans.is_empty() => (vec![middle], rest),
                Err(middle) => {
                    rest.insert(0, middle);
                    (spans, rest)
                }
            });
        }
        let second = spans.split_off(index.clamp(1, spans.len().saturating_sub(1)));
        return Ok((spans, second));
    }
    match spans.pop() {
        Some(only) => halve_span(only).map(|(first, second)| (vec![first], vec![second])).map_err(|only| vec![only]),
        None => Err(spans),
    }
}

fn weight(span: &Span) -> usize {
    match &span.inline {
        Inline::Text(text) => text.len(),
        _ => 16,
    }
}

fn halve_span(span: Span) -> Result<(Span, Span), Span> {
    let Inline::Text(text) = &span.inline else { return Err(span) };
    let middle = text.floor_char_boundary(text.len() / 2);
    let Some(before) = text.get(..middle) else { return Err(span) };
    // The last line, else the last word, that ends in the quarter before the middle.
    let nearby = text.floor_char_boundary(middle - middle / 2);
    let cut = ['\n', ' ']
        .iter()
        .find_map(|end| before.rfind(*end).map(|at| at + end.len_utf8()).filter(|at| *at >= nearby))
        .unwrap_or(middle);
    let (Some(first), Some(second)) = (text.get(..cut), text.get(cut..)) else { return Err(span) };
    if first.is_empty() || second.is_empty() {
        return Err(span);
    }
    Ok((Span::text(first, span.style.clone()), Span::text(second, span.style.clone())))
}
