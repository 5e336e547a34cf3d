//! Runs the suite against a homeserver and compares the failures with `known-differences.toml`.
//! What the lines mean is in `hubbub_conformance::runner`; the variables are in `hubbub_conformance::Homeserver`.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use hubbub_conformance::runner::{Run, Verdict, known_differences};

const USAGE: &str = "conformance --url URL [--server-name NAME] [--peer synapse] [--filter TEXT] [--jobs N]\n\n\
    Runs the black-box suite against the homeserver at URL. With --peer, the failures that known-differences.toml\n\
    lists for that server are expected, and a listed test that passes is an error. --filter runs the tests whose\n\
    name holds TEXT; --jobs is how many run at once (8 by default: they mostly wait).";

#[derive(Debug, Default)]
struct Options {
    url: String,
    server_name: Option<String>,
    peer: Option<String>,
    filter: Option<String>,
    jobs: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--url" => options.url = value()?,
                "--server-name" => options.server_name = Some(value()?),
                "--peer" => options.peer = Some(value()?),
                "--filter" => options.filter = Some(value()?),
                "--jobs" => options.jobs = Some(value()?),
                _ => return Err(format!("unknown option {name}")),
            }
        }
        if options.url.is_empty() {
            return Err("--url is needed".to_owned());
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("conformance: {reason}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match judge(&options) {
        Ok(verdict) => {
            println!("{}", verdict.report());
            if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            eprintln!("conformance: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn judge(options: &Options) -> Result<Verdict, String> {
    let known = match &options.peer {
        Some(peer) => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("known-differences.toml");
            let file = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            known_differences(&file, peer)?
        }
        None => BTreeMap::new(),
    };
    let run = run_suite(options)?;
    if run.results.is_empty() {
        return Err("no test ran".to_owned());
    }
    Ok(Verdict::new(&run, &known, options.filter.is_none()))
}

fn run_suite(options: &Options) -> Result<Run, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["test", "-p", "hubbub-conformance", "--test", "suite", "--"]);
    command.args(["--test-threads", options.jobs.as_deref().unwrap_or("8")]);
    command.args(options.filter.as_deref());
    // A failed check says what was asked and answered; where it was made is in its first line.
    command.env("RUST_BACKTRACE", "0");
    command.env("HUBBUB_CONFORMANCE_URL", &options.url);
    if let Some(name) = &options.server_name {
        command.env("HUBBUB_CONFORMANCE_SERVER_NAME", name);
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cargo does not start: {error}"))?;
    let Some(output) = child.stdout.take() else {
        return Err("cargo has no output".to_owned());
    };
    let mut run = Run::default();
    let mut complete = false;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| format!("cargo's output broke off: {error}"))?;
        println!("{line}");
        run.read_line(&line);
        complete |= line.starts_with("test result: ");
    }
    child.wait().map_err(|error| format!("cargo: {error}"))?;
    // Without this line the run was cut short (a build error, an abort) and its results say nothing.
    if complete { Ok(run) } else { Err("the suite did not run to its end".to_owned()) }
}
