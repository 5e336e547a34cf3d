//! `tests/bridge-traps.toml` tells the truth: every trap that other bridges fell into has tests that are there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;

#[derive(Deserialize)]
struct Traps {
    traps: BTreeMap<String, Trap>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trap {
    #[serde(default)]
    slack: Vec<String>,
    slack_not: Option<String>,
    #[serde(default)]
    discord: Vec<String>,
    discord_not: Option<String>,
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn traps() -> BTreeMap<String, Trap> {
    let text = std::fs::read_to_string(root().join("tests/bridge-traps.toml")).unwrap();
    toml::from_str::<Traps>(&text).unwrap().traps
}

/// The names of all tests below a folder.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if let Some(name) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
                    names.extend(name.split('(').next().filter(|_| is_test).map(str::to_owned));
                    is_test = false;
                } else if line == "#[test]" || line.starts_with("#[tokio::test") {
                    is_test = true;
                }
            }
        }
    }
}

#[test]
fn every_trap_names_tests_that_are_there_or_why_a_network_needs_none() {
    let mut names = BTreeSet::new();
    for folder in ["bridges", "tests/integration", "tests/native"] {
        tests_below(&root().join(folder), &mut names);
    }
    assert!(names.len() > 500, "{} tests", names.len());
    let mut wrong = Vec::new();
    for (trap, Trap { slack, slack_not, discord, discord_not }) in &traps() {
        for (network, tests, not) in [("Slack", slack, slack_not), ("Discord", discord, discord_not)] {
            if tests.is_empty() != not.is_some() {
                wrong.push(format!("{trap}: {network} needs tests, or else a reason"));
            }
            let missing = tests.iter().filter(|test| !names.contains(*test));
            wrong.extend(missing.map(|test| format!("{trap}: there is no test {test}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_trap_of_the_shared_files_is_missing() {
    let shared = std::env::var_os("HUBBUB_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(shared.join("BRIDGES.md")) else {
        println!("skipped: there is no BRIDGES.md in {}", shared.display());
        return;
    };
    let table = text.split("\n## 7.").nth(1).expect("a section on traps");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let listed: BTreeSet<String> = rows.map(|row| row.split('|').nth(1).unwrap().trim().to_owned()).collect();
    assert_eq!(listed, traps().into_keys().collect());
}
