//! `cargo xtask rebuild-room`: wipes one room's object and builds it again from D1's archive.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::admin::ServerOptions;

/// Wipe a room's object and build it again from the archive in D1
#[derive(Args)]
pub struct RebuildRoom {
    /// The room id, such as !abc
    room_id: String,
    #[command(flatten)]
    server: ServerOptions,
}

impl RebuildRoom {
    /// Asks the server to rebuild the room and prints its report.
    pub fn run(self) -> Result<ExitCode> {
        let report = self.server.connect()?.post("rebuild-room", &json!({"room_id": self.room_id}))?;
        println!("{}", serde_json::to_string_pretty(&report)?);
        Ok(ExitCode::SUCCESS)
    }
}
