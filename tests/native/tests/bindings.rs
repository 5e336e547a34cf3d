//! What is billed is counted where the platform is reached: nothing of the Worker reaches past its ports.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What reaches the platform.
const CALLS: [&str; 7] =
    ["durable_object(", ".d1(", ".kv(", ".bucket(", "Fetch::", "get_by_name(", "WebSocket::connect"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn only_the_ports_and_the_probe_of_tests_reach_the_platform() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../homeserver/worker/src"));
    let mut paths = Vec::new();
    sources(root, &mut paths);
    let ports = root.join("ports");
    let (inside, outside): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.starts_with(&ports));
    let reaches = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a source");
        CALLS.iter().any(|call| text.contains(call))
    };
    assert!(inside.iter().filter(|path| reaches(path)).count() >= 2, "the ports reach nothing: this test sees nothing");
    let wrong: Vec<PathBuf> =
        outside.into_iter().filter(|path| !path.ends_with("objects/storage_probe.rs") && reaches(path)).collect();
    assert!(wrong.is_empty(), "{wrong:?} reach the platform beside the ports");
}
