//! How each kind of test is started.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    commands::run::demo::FakeSlack,
    data_folder::DataFolder,
    embedded::{Embedded, Options},
    process::{Served, tied},
    slack_login::{bridge, connect, log_in, make_owner, text},
    tools::{Tools, node_of},
    workspace::{root, shared, synapse_python},
};

const EMULATE_TEST: &str = "emulate.test.mjs";
const BROWSER_TEST: &str = "browser.test.mjs";

/// `cargo test` in the checkout.
pub fn cargo_test(arguments: &[&str]) -> Result<bool> {
    succeeds(Command::new("cargo").arg("test").args(arguments).current_dir(root()))
}

/// The Rust tests that talk to running servers: one that they share, one that they have in turn, and one as a user would
/// run it. All three call the same many fake Slacks.
pub fn integration(tools: &Tools, worker: &Path, support: &Path, arguments: &[String]) -> Result<bool> {
    let worlds = tools.script(&root().join("tests/support/slack-worlds.mjs"), &[])?;
    let slack = Served::start(&mut tied(worlds)).context("the fake Slacks")?;
    let slack_api_url = Some(format!("{}/api/", slack.url));
    let start = |options: Options| {
        let options = Options { slack_api_url: slack_api_url.clone(), crons: false, ..options };
        Embedded::start(tools, worker, Arc::new(DataFolder::temporary()?), &options, |_| ())
    };
    let (shared, alone) = (start(Options::for_tests())?, start(Options::for_tests())?);
    let strict = start(Options::default())?;
    let mut command = Command::new("cargo");
    // Most of the time the tests wait, for the server or for their turn.
    command.args(["test", "--package", "hubbub-integration", "--", "--test-threads=12"]).args(arguments);
    command.current_dir(root());
    describe(&mut command, &shared, tools, support)?;
    for (prefix, server) in [("HUBBUB_ALONE", &alone), ("HUBBUB_STRICT", &strict)] {
        command
            .env(format!("{prefix}_URL"), &server.url)
            .env(format!("{prefix}_SERVER_NAME"), &server.identity.server_name)
            .env(format!("{prefix}_ADMIN_TOKEN"), &server.identity.admin_token);
    }
    succeeds(command.env("HUBBUB_SLACK_WORLDS", &slack.url))
}

/// The Node tests of `tests/support` and of the launcher's scripts, but for those that need more than a server.
pub fn node_tests(server: &Embedded, tools: &Tools, support: &Path) -> Result<bool> {
    let mut files = test_files(&root().join("tests/support"))?;
    files.retain(|path| !path.ends_with(EMULATE_TEST) && !path.ends_with(BROWSER_TEST));
    files.extend(test_files(&root().join("xtask/embedded"))?);
    let mut command = node_test(tools, support, &files);
    describe(&mut command, server, tools, support)?;
    succeeds(&mut command)
}

/// The Rust tests with matrix-sdk: a workspace of their own, built into the same folder.
pub fn matrix_sdk(server: &Embedded, arguments: &[String]) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(["test", "--manifest-path"]).arg(root().join("tests/matrix-sdk/Cargo.toml"));
    if env::var_os("CARGO_TARGET_DIR").is_none() {
        command.arg("--target-dir").arg(root().join("target"));
    }
    command.arg("--").args(arguments).env("HOMESERVER_URL", &server.url).env("HUBBUB_URL", &server.url);
    succeeds(command.current_dir(root()))
}

/// The npm package `emulate` as an independent Slack: a server of ours connected to it, and a message each way.
pub fn emulate(tools: &Tools, worker: &Path, support: &Path) -> Result<bool> {
    let mut command = Command::new(node_of(support).unwrap_or_else(|| tools.node.clone()));
    command.arg("--no-warnings").arg(root().join("tests/support/emulate.mjs"));
    tools.resolve_packages(&mut command, &[support])?;
    let slack = Served::start(&mut tied(command)).context("emulate")?;
    let options = Options { slack_api_url: Some(format!("{}/api/", slack.url)), ..Options::for_tests() };
    let server = Embedded::start(tools, worker, Arc::new(DataFolder::temporary()?), &options, |_| ())?;

    let info = server.admin().get_json(&format!("{}/_shim/info", slack.url))?;
    let owner = make_owner(&server, "owner")?;
    let login = connect(&server, &owner.user_id, &text(&info, "/signing_secret")?, &text(&info, "/token")?)?;
    let channels = info.get("channels").and_then(Value::as_array).into_iter().flatten();
    let channel = channels.into_iter().find(|channel| channel.get("name").and_then(Value::as_str) == Some("general"));
    let room = bridge(&server, &login, &text(channel.context("emulate has no channel")?, "/id")?)?;

    let mut command = node_test(tools, support, &[root().join("tests/support").join(EMULATE_TEST)]);
    describe(&mut command, &server, tools, support)?;
    command
        .env("EMULATE_URL", &slack.url)
        .env("HUBBUB_ACCESS_TOKEN", log_in(&server, &owner)?)
        .env("HUBBUB_ROOM", room)
        .env("SLACK_HOOK_URL", &login.hook_url);
    succeeds(&mut command)
}

/// The demo as a person sees it in a browser. Its screenshot is in `target/test-artifacts`.
pub fn browser(tools: &Tools, worker: &Path, support: &Path, chromium: &Path) -> Result<bool> {
    let data = Arc::new(DataFolder::temporary()?);
    let slack = FakeSlack::start(tools, data.path())?;
    let options = Options { slack_api_url: Some(slack.api_url()), ..Options::for_tests() };
    let server = Embedded::start(tools, worker, data, &options, |_| ())?;
    let demo = slack.connect(&server)?;
    let mut command = node_test(tools, support, &[root().join("tests/support/browser").join(BROWSER_TEST)]);
    describe(&mut command, &server, tools, support)?;
    command
        .env("MATRIX_USER", demo.user)
        .env("PASSWORD", demo.password)
        .env("SLACK_URL", slack.url())
        .env("CHROMIUM", chromium)
        .env("ARTIFACTS", root().join("target/test-artifacts"));
    succeeds(&mut command)
}

/// `node --test` under the Node of the tests, which one of them needs.
fn node_test(tools: &Tools, support: &Path, files: &[PathBuf]) -> Command {
    let mut command = Command::new(node_of(support).unwrap_or_else(|| tools.node.clone()));
    command.args(["--no-warnings", "--test"]).args(files).current_dir(root().join("tests/support"));
    command
}

/// Tells a test where the server is and what else is there.
fn describe(command: &mut Command, server: &Embedded, tools: &Tools, support: &Path) -> Result<()> {
    tools.resolve_packages(command, &[support])?;
    command
        .env("HUBBUB_URL", &server.url)
        // For the tests with a Matrix SDK, which run against any server.
        .env("HOMESERVER_URL", &server.url)
        .env("REGISTER", "1")
        .env("HUBBUB_DATA", server.data_path())
        .env("HUBBUB_SERVER_NAME", &server.identity.server_name)
        .env("HUBBUB_ADMIN_TOKEN", &server.identity.admin_token)
        .env("HUBBUB_SUPPORT_MODULES", support.join("node_modules"));
    if let Some(python) = synapse_python() {
        command.env("SYNAPSE_PY", python);
    }
    if let Some(shared) = shared() {
        command.env("HUBBUB_SHARED", shared);
    }
    Ok(())
}

fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
            files.extend(test_files(&path)?);
        } else if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn succeeds(command: &mut Command) -> Result<bool> {
    let name = command.get_program().to_string_lossy().into_owned();
    Ok(command.status().with_context(|| format!("{name} cannot be started"))?.success())
}
