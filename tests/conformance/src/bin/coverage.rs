//! Writes `COVERAGE.md` of this crate, or compares it with `--check`; see `hubbub_conformance::coverage`.

use std::{env, fs, path::Path, process::ExitCode};

use hubbub_conformance::{coverage, pages, runner::all_known_differences};

const USAGE: &str = "coverage [--check]\n\n\
    Writes tests/conformance/COVERAGE.md. With --check it fails when the file is stale, when a test names a bullet\n\
    that no page has, when two tests name the same bullet, and when a bullet has neither test nor reason. The pages are read from $HUBBUB_SHARED/conformance\n\
    (default ../shared/conformance, beside the workspace).";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--check"] => true,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(check) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("coverage: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<String, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let areas = pages::read(&pages::folder(&here.join("../.."))).map_err(|error| error.to_string())?;
    let claims = coverage::read_claims(&here.join("tests/suite")).map_err(|error| error.to_string())?;
    let faults = coverage::faults(&areas, &claims);
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    let known = fs::read_to_string(here.join("known-differences.toml")).map_err(|error| error.to_string())?;
    let differences = coverage::differences(&all_known_differences(&known)?)?;
    let table = coverage::table(&areas, &claims) + &differences;
    let path = here.join("COVERAGE.md");
    if check {
        let written = fs::read_to_string(&path).unwrap_or_default();
        if written != table {
            return Err("COVERAGE.md is stale: run `cargo run -p hubbub-conformance --bin coverage`".to_owned());
        }
    } else {
        fs::write(&path, &table).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let in_all: usize = areas.iter().map(|area| area.bullets.len()).sum();
    Ok(format!("{} of {in_all} bullets covered", claims.len()))
}
