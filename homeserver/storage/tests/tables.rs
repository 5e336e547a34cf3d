//! Every table of D1 has a writer and a reader among this crate's queries: none is there for show.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The migrations of both databases.
fn migrations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let entries = [folder.join("search"), folder].into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    paths
}

/// The queries as one line of single spaces.
fn queries() -> String {
    let mut text = String::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut text);
    // Who deletes reads nothing.
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("DELETE FROM", "DELETE")
}

#[test]
fn every_table_of_the_directory_has_a_writer_and_a_reader() {
    let (migrations, queries) = (migrations(), queries());
    let migrations: String = migrations.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let tables: Vec<&str> = ["CREATE TABLE ", "CREATE VIRTUAL TABLE "]
        .iter()
        .flat_map(|create| migrations.split(create).skip(1))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    assert!(tables.len() >= 10);
    let lacking: Vec<String> = tables
        .iter()
        .flat_map(|table| {
            let written = [format!("INTO {table} "), format!("UPDATE {table} ")];
            let read = [format!("FROM {table} "), format!("FROM {table}\""), format!("JOIN {table} ")];
            let has = |patterns: &[String]| patterns.iter().any(|one| queries.contains(one));
            [("writer", has(&written)), ("reader", has(&read))]
                .into_iter()
                .filter(|(_, there)| !there)
                .map(|(what, _)| format!("{table} has no {what}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(lacking.is_empty(), "{}", lacking.join(", "));
}

#[test]
fn every_migration_says_why_and_makes_strict_tables_only() {
    for path in migrations() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-- "), "{} does not say why", path.display());
        let statements: String = text.lines().filter_map(|line| line.split("--").next()).collect();
        for table in statements.split("CREATE TABLE ").skip(1) {
            let end = table.split(';').next().unwrap();
            assert!(end.contains("STRICT"), "{} has a lax table", path.display());
        }
    }
}
