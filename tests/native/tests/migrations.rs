//! The native server has the same D1 as the deployed one.

use hubbub_native::server::MIGRATIONS;

#[test]
fn every_migration_is_applied_in_order() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();

    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).expect("a text")).collect();

    assert_eq!(texts, MIGRATIONS, "tests/native/src/server.rs lists each migration");
}
