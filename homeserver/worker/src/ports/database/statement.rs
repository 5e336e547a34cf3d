//! SQL texts as JavaScript strings, made once: they are constants, and the platform caches prepared
//! statements by text.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use worker::js_sys::JsString;

/// A statement and what its words tell about it.
pub struct Statement {
    /// The text for JavaScript.
    pub text: JsString,
    /// Whether it only reads.
    pub reads: bool,
    /// Whether it has rows to return.
    pub returns_rows: bool,
}

thread_local! {
    // By address: equal texts at two addresses are two entries, which is harmless.
    static KNOWN: RefCell<HashMap<(usize, usize), Rc<Statement>>> = RefCell::default();
}

/// The statement of this text.
pub fn of(sql: &'static str) -> Rc<Statement> {
    let key = (sql.as_ptr().addr(), sql.len());
    KNOWN.with_borrow_mut(|known| Rc::clone(known.entry(key).or_insert_with(|| Rc::new(Statement::new(sql)))))
}

impl Statement {
    fn new(sql: &str) -> Self {
        let reads = only_reads(sql);
        Self { text: sql.into(), reads, returns_rows: reads || has_word(sql, &["RETURNING"]) }
    }
}

/// Whether a statement only reads: it begins with SELECT or VALUES, or with a WITH under which
/// nothing is written.
fn only_reads(sql: &str) -> bool {
    let first = words(sql).next().unwrap_or_default().to_ascii_uppercase();
    match first.as_str() {
        "SELECT" | "VALUES" => true,
        "WITH" => !has_word(sql, &["INSERT", "UPDATE", "DELETE", "REPLACE"]),
        _ => false,
    }
}

fn has_word(sql: &str, wanted: &[&str]) -> bool {
    words(sql).any(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

fn words(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).filter(|word| !word.is_empty())
}
