//! The native server has the same D1 as the deployed one.

use std::path::Path;

use hubbub_native::server::{MIGRATIONS, SEARCH_MIGRATIONS};

fn texts_in(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a text")).collect()
}

#[test]
fn every_migration_is_applied_in_order() {
    assert_eq!(texts_in("."), MIGRATIONS, "tests/native/src/server.rs lists each migration");
    assert_eq!(texts_in("search"), SEARCH_MIGRATIONS, "tests/native/src/server.rs lists each migration");
}
