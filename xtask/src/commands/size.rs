//! `cargo xtask size`: how much a deployment uploads. A large Worker starts slowly, so the budget is far below the platform's.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;
use flate2::{Compression, write::GzEncoder};

use crate::{
    tools::Tools,
    worker::{self, Profile},
};

const BUDGET: usize = 3 * 1024 * 1024;

/// Print the gzipped size of the Worker; fail above 3 MiB
#[derive(Args)]
pub struct Size {}

impl Size {
    /// Builds the release Worker and measures each file that `wrangler deploy` uploads.
    pub fn run(self) -> Result<ExitCode> {
        let folder = worker::build(&Tools::install()?, Profile::Release)?;
        let (mut total, mut packed_total) = (0, 0);
        for path in uploaded(&folder)? {
            let bytes = fs::read(&path)?;
            let packed = gzipped(&bytes)?;
            let name = path.file_name().context("a file without a name")?.to_string_lossy().into_owned();
            println!("{name:<16} {:>9} KiB {:>8} KiB gzipped", bytes.len().div_ceil(1024), packed.div_ceil(1024));
            total += bytes.len();
            packed_total += packed;
        }
        println!("{:<16} {:>9} KiB {:>8} KiB gzipped", "Worker", total.div_ceil(1024), packed_total.div_ceil(1024));
        if packed_total > BUDGET {
            eprintln!("error: the Worker is larger than {} KiB gzipped", BUDGET / 1024);
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The entry module and the wasm beside it.
fn uploaded(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js" || extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
