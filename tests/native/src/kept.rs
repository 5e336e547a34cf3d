//! A whole server's data as a file, and the server that opens it.

use std::{env, fs, path::Path};

use hubbub_core::contract::{Address, Class};
use hubbub_storage::native::{NativeDatabase, NativeDirectory};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Options, TestServer};

/// A server's data.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    /// How many migrations D1 had.
    migrations: usize,
    directory: String,
    /// The objects that ever wrote something.
    pub objects: Vec<KeptObject>,
    /// The room that tests look into.
    pub room_id: String,
}

/// An object's data.
#[derive(Serialize, Deserialize)]
pub struct KeptObject {
    /// Its class.
    pub class: Class,
    name: String,
    database: String,
}

impl Kept {
    /// All that a server holds now, but for the bytes of files and the full-text index.
    pub fn of(server: &TestServer, room_id: String) -> Self {
        let host = server.host();
        let objects = host.written().into_iter().map(|address| {
            let database = host.database(&address).expect("what wrote is there");
            KeptObject { class: address.class, database: database.dump().expect("it is read"), name: address.name }
        });
        Self {
            migrations: NativeDirectory::migrations().expect("the folder is there").len(),
            directory: server.directory().database().dump().expect("it is read"),
            objects: objects.collect(),
            room_id,
        }
    }

    /// A server of this version over the data.
    pub fn open(&self, options: Options) -> TestServer {
        let migrations = NativeDirectory::migrations().expect("the folder is there");
        let later = migrations.iter().skip(self.migrations).map(String::as_str);
        let directory = NativeDirectory::from_dump(&self.directory, later).expect("the migrations apply");
        let server = TestServer::with(Options { directory: Some(directory), ..options });
        for object in &self.objects {
            let database = NativeDatabase::from_dump(&object.database).expect("it is as it was");
            server.host().keep(Address::new(object.class, &object.name), database);
        }
        server
    }
}

/// Proves the data of every file in a folder, each left by an earlier version. With `HUBBUB_KEEP=NAME` what this version
/// leaves becomes a file first: one that is there never changes.
pub fn prove_every<K: Serialize + DeserializeOwned>(folder: &Path, lived_in: impl Fn() -> K, prove: impl Fn(&K)) {
    if let Ok(name) = env::var("HUBBUB_KEEP") {
        let file = folder.join(format!("{name}.json"));
        assert!(!file.exists(), "{} is there already and never changes", file.display());
        let text = serde_json::to_string_pretty(&lived_in()).expect("it is JSON");
        fs::write(file, text).expect("the folder can be written");
    }
    let mut opened = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("it is text");
        prove(&serde_json::from_str(&text).expect("it is what was kept"));
        opened += 1;
    }
    assert!(opened > 0, "no data of earlier versions is kept");
}

/// Proves data of this version after it was a file.
pub fn prove_this_version<K: Serialize + DeserializeOwned>(kept: &K, prove: impl Fn(&K)) {
    let text = serde_json::to_string(kept).expect("it is JSON");
    prove(&serde_json::from_str(&text).expect("it is what was kept"));
}
