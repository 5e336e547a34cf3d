//! Sends the core's log to the console: one line an event, a sentence and its fields.

use std::fmt::{self, Write as _};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use worker::{console_error, console_log, console_warn};

/// Starts logging, and logs panics with their place. Only the first call does anything.
pub fn start() {
    if tracing::subscriber::set_global_default(Console).is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        // Not the message: it may quote what a stranger sent.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        console_error!("ERROR panicked at {place}");
    }));
}

struct Console;

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries tell each step of an authorisation: only their warnings are news.
        let most = if metadata.target().starts_with("hubbub") { Level::INFO } else { Level::WARN };
        *metadata.level() <= most
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Nothing of ours opens spans; ids only must not be zero.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = *event.metadata().level();
        let text = format!("{level} {}{}", line.message, line.fields);
        match level {
            Level::ERROR => console_error!("{text}"),
            Level::WARN => console_warn!("{text}"),
            _ => console_log!("{text}"),
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
