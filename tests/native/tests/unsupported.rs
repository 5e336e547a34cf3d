//! `unsupported.toml` tells the truth: what it lists is not served, and what it does not list is.

use std::{collections::BTreeSet, path::PathBuf};

use http::Method;
use hubbub_native::{Client, TestServer};
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Deserialize)]
struct Unsupported {
    /// Operations of v1.1 to v1.11 that answer `M_UNRECOGNIZED`.
    operations: BTreeSet<String>,
    /// Operations that a later version added, where the specification's file has no date.
    later: BTreeSet<String>,
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn unsupported() -> Unsupported {
    let text = std::fs::read_to_string(root().join("unsupported.toml")).expect("unsupported.toml is there");
    toml::from_str(&text).expect("unsupported.toml is right")
}

/// The specification's operations of v1.1 to v1.11; `None` without the shared files.
fn specified() -> Option<BTreeSet<String>> {
    let shared = std::env::var_os("HUBBUB_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let file = shared.join("fixtures/matrix/matrix-openapi/client-server.json");
    let Ok(text) = std::fs::read(&file) else {
        let excused = std::env::var_os("CI").is_none() || std::env::var("HUBBUB_NO_SHARED").as_deref() == Ok("1");
        assert!(excused, "there is no {}", file.display());
        println!("skipped: there is no {}", file.display());
        return None;
    };
    let api: Json = serde_json::from_slice(&text).expect("the file is JSON");
    let mut operations = BTreeSet::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let added = operation["x-addedInMatrixVersion"].as_str().unwrap_or("1.0");
            let minor: u32 = added.split('.').nth(1).and_then(|minor| minor.parse().ok()).expect("a version");
            let is_method = ["get", "put", "post", "delete"].contains(&method.as_str());
            if is_method && minor <= 11 {
                // Two operations share a path but for a blank, in the file only.
                operations.insert(format!("{} {}", method.to_uppercase(), path.trim_end()));
            }
        }
    }
    let later = unsupported().later;
    operations.retain(|operation| !later.contains(operation));
    Some(operations)
}

/// Whether the server answers `M_UNRECOGNIZED` to a plausible request.
fn is_unrecognized(client: &Client, operation: &str) -> bool {
    let (method, path) = operation.split_once(' ').expect("a method and a path");
    let uri = path
        .replace("{userId}", &client.user_id)
        .replace("{roomId}", "%21room:hub.example")
        .replace("{roomIdOrAlias}", "%21room:hub.example")
        .replace("{eventId}", "%24event")
        .replace("{roomAlias}", "%23alias:hub.example")
        .replace("{keyName}", "displayname")
        .replace("{kind}", "override")
        .replace("{ruleId}", ".m.rule.master")
        .replace("{receiptType}", "m.read");
    let uri: String =
        uri.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
    let method: Method = method.parse().expect("a method");
    let reply = client.ask(method, &uri, Some(&json!({})));
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    body["errcode"] == "M_UNRECOGNIZED"
}

#[test]
fn what_is_listed_is_not_served_and_what_is_not_listed_is() {
    let Some(specified) = specified() else { return };
    let server = TestServer::new();
    let found: BTreeSet<String> = specified
        .into_iter()
        .enumerate()
        // A fresh user each, since some requests end the session.
        .filter(|(index, operation)| is_unrecognized(&server.account(&format!("user{index}")), operation))
        .map(|(_, operation)| operation)
        .collect();
    let listed = unsupported().operations;
    let served: Vec<_> = listed.difference(&found).collect();
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(served.is_empty() && missing.is_empty(), "listed but served: {served:#?}\nnot listed: {missing:#?}");
}

#[test]
fn every_endpoint_served_is_one_of_the_specification() {
    let Some(specified) = specified() else { return };
    let shape = |path: &str| -> String {
        path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect::<Vec<_>>().join("/")
    };
    let known: BTreeSet<String> = specified
        .iter()
        .map(|operation| {
            let (method, path) = operation.split_once(' ').expect("a method and a path");
            format!("{method} {}", shape(path))
        })
        .collect();
    for (method, path) in hubbub_api::operations() {
        let path = shape(&path.replace("/r0/", "/v3/"));
        // One path of the file stands for both fields of a profile, and one for a key that may be left out.
        let path = path.replace("/displayname", "/*").replace("/avatar_url", "/*");
        let with_key = format!("{method} {path}/*");
        assert!(known.contains(&format!("{method} {path}")) || known.contains(&with_key), "{method} {path}");
    }
}
