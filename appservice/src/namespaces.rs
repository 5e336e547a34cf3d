//! Which users, aliases and rooms an appservice is interested in, and which it owns
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#registration)).
//!
//! A namespace's expression has to match the whole id, from the sigil to the server name. Whether
//! two namespaces share an id is decided exactly, in `overlap.rs`.

use regex::Regex;
use ruma::api::appservice::{Namespace, Namespaces};

use crate::registration::RegistrationError;

/// The longest expression of a namespace, in bytes.
const MAX_REGEX_BYTES: usize = 1_000;

/// The largest compiled form of one expression, in bytes: `a{1000}{1000}` must not fill the memory.
const MAX_COMPILED_BYTES: usize = 256 * 1024;

/// How many namespaces of one kind a registration may have.
const MAX_NAMESPACES: usize = 100;

/// One namespace, ready to match.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Whether nobody else may use what matches.
    pub exclusive: bool,
    /// The expression as it was registered.
    pub source: String,
    regex: Regex,
}

/// The expression that matches an id as a whole.
pub(crate) fn anchored(source: &str) -> String {
    format!(r"\A(?:{source})\z")
}

impl Pattern {
    fn compile(namespace: &Namespace) -> Result<Self, RegistrationError> {
        let refused = |reason: &str| RegistrationError::Regex {
            regex: namespace.regex.chars().take(100).collect(),
            reason: reason.to_owned(),
        };
        if namespace.regex.is_empty() || namespace.regex.len() > MAX_REGEX_BYTES {
            return Err(refused("it must have 1 to 1000 bytes"));
        }
        let compile = |source: &str| {
            regex::RegexBuilder::new(source)
                .size_limit(MAX_COMPILED_BYTES)
                .nest_limit(50)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => refused("it is too large once compiled"),
                    _ => refused(
                        "it is no regular expression that can be matched in linear time (look-around and back-references cannot)",
                    ),
                })
        };
        // On its own first: `a)|(b` must not become valid by the parentheses around it.
        compile(&namespace.regex)?;
        Ok(Self {
            exclusive: namespace.exclusive,
            source: namespace.regex.clone(),
            regex: compile(&anchored(&namespace.regex))?,
        })
    }

    /// Whether the whole id matches.
    pub fn matches(&self, id: &str) -> bool {
        self.regex.is_match(id)
    }
}

/// The namespaces of a registration, compiled.
#[derive(Clone, Debug, Default)]
pub struct NamespaceSet {
    /// Of user ids.
    pub users: Vec<Pattern>,
    /// Of room aliases.
    pub aliases: Vec<Pattern>,
    /// Of room ids.
    pub rooms: Vec<Pattern>,
}

impl NamespaceSet {
    /// Compiles the namespaces of a registration; refuses what is too long, too large or no
    /// expression.
    pub fn compile(namespaces: &Namespaces) -> Result<Self, RegistrationError> {
        Ok(Self {
            users: compile_all(&namespaces.users)?,
            aliases: compile_all(&namespaces.aliases)?,
            rooms: compile_all(&namespaces.rooms)?,
        })
    }
}

fn compile_all(namespaces: &[Namespace]) -> Result<Vec<Pattern>, RegistrationError> {
    if namespaces.len() > MAX_NAMESPACES {
        return Err(RegistrationError::TooManyNamespaces);
    }
    namespaces.iter().map(Pattern::compile).collect()
}

/// Whether one of the namespaces contains the id.
pub fn contains(namespaces: &[Pattern], id: &str) -> bool {
    namespaces.iter().any(|namespace| namespace.matches(id))
}

/// Whether one of the exclusive namespaces contains the id.
pub fn contains_exclusively(namespaces: &[Pattern], id: &str) -> bool {
    namespaces.iter().any(|namespace| namespace.exclusive && namespace.matches(id))
}
