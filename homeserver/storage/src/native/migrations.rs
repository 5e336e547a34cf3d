//! D1's migrations as the deployed server has them, read from `migrations/` in the checkout: no test lists them.

use std::{fs, io, path::Path, sync::LazyLock};

use super::NativeDirectory;
use crate::database::DatabaseError;

static SERVER: LazyLock<io::Result<Vec<String>>> = LazyLock::new(|| texts_in("."));
static SEARCH: LazyLock<io::Result<Vec<String>>> = LazyLock::new(|| texts_in("search"));

/// The SQL files of one folder, by name. `search` below `migrations` is a database of its own.
fn texts_in(folder: &str) -> io::Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    files.iter().map(fs::read_to_string).collect()
}

fn of(texts: &'static io::Result<Vec<String>>) -> Result<&'static [String], DatabaseError> {
    texts.as_deref().map_err(DatabaseError::new)
}

impl NativeDirectory {
    /// The migrations of D1, in order.
    pub fn migrations() -> Result<&'static [String], DatabaseError> {
        of(&SERVER)
    }

    /// D1 as a new server has it.
    pub fn server() -> Result<Self, DatabaseError> {
        Self::with_migrations(Self::migrations()?.iter().map(String::as_str))
    }

    /// The second D1, with the full-text index, as a new server has it.
    pub fn search() -> Result<Self, DatabaseError> {
        Self::with_migrations(of(&SEARCH)?.iter().map(String::as_str))
    }
}
