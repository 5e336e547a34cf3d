//! `cargo xtask rebuild-search`: empties the full-text index and has every room fill it again.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::{admin::ServerOptions, progress::note};

/// Empty the full-text index and have every room fill it again
#[derive(Args)]
pub struct RebuildSearch {
    #[command(flatten)]
    server: ServerOptions,
}

impl RebuildSearch {
    /// Tells all rooms, some at a time. They index themselves in the background.
    pub fn run(self) -> Result<ExitCode> {
        let admin = self.server.connect()?;
        let mut rooms = 0;
        let mut after = Value::Null;
        loop {
            let report = admin.post("rebuild-search", &json!({"after": after}))?;
            rooms += report.get("rooms").and_then(Value::as_u64).unwrap_or_default();
            for silent in report.get("silent").and_then(Value::as_array).into_iter().flatten() {
                note(format_args!("{silent} did not answer; it is indexed when it is searched"));
            }
            match report.get("next") {
                Some(next) if next.is_string() => after = next.clone(),
                _ => break,
            }
        }
        println!("{rooms} rooms fill the index again");
        Ok(ExitCode::SUCCESS)
    }
}
