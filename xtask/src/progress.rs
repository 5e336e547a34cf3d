//! What a person sees while a command works: one line a step, with how long it took.

use std::{
    fmt::Display,
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::Result;

/// Prints the start and the end of a step, on a terminal in one line; the result of `work` is shown at the end.
pub fn step<T: Display>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let (end, back) = if std::io::stderr().is_terminal() { ("", "\r") } else { ("\n", "") };
    eprint!("  {what} …{end}");
    let outcome = work().inspect_err(|_| eprintln!())?;
    eprintln!("{back}  {what}: {outcome} ({})", seconds(started.elapsed()));
    Ok(outcome)
}

/// A line inside a step, or one that stands alone.
pub fn note(text: impl Display) {
    eprintln!("  {text}");
}

/// A time as people read it: `0.4 s`, `3 m 20 s`.
pub fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole >= 60 { format!("{} m {} s", whole / 60, whole % 60) } else { format!("{:.1} s", time.as_secs_f64()) }
}

/// A result, on stdout. A reader that went away (`| head`) must not end a server.
pub fn print(text: impl Display) {
    let _reader_gone = writeln!(std::io::stdout(), "{text}");
}
