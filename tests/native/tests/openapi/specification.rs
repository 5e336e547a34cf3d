//! The specification's operations, from the shared OpenAPI file.

use std::{collections::BTreeSet, path::PathBuf};

use http::Method;
use serde_json::Value as Json;

/// The last minor version of the specification that `versions` lists.
const NEWEST: u32 = 11;

/// What is served though a later version added it.
const SERVED_LATER: [&str; 4] = [
    "POST /_matrix/client/v3/rooms/{roomId}/report",
    "POST /_matrix/client/v3/users/{userId}/report",
    "GET /_matrix/client/v1/room_summary/{roomIdOrAlias}",
    "DELETE /_matrix/client/v3/profile/{userId}/{keyName}",
];

/// One operation of the client-server API.
pub struct Operation {
    /// Its `operationId`.
    pub id: String,
    /// Its method.
    pub method: Method,
    /// Its path, with the names of its variable parts in braces.
    pub path: String,
    /// The names of its required query parameters.
    pub query: Vec<String>,
    definition: Json,
}

impl Operation {
    /// The example of its body, where it takes one.
    pub fn example(&self) -> Option<Json> {
        let content = self.definition.pointer("/requestBody/content/application~1json")?;
        let example =
            content.get("example").or_else(|| content.get("examples")?.as_object()?.values().next()?.get("value"));
        Some(example.or_else(|| content.pointer("/schema/example")).cloned().unwrap_or_else(|| serde_json::json!({})))
    }

    /// The schema of its answer; `None` where that is no JSON.
    pub fn answer(&self) -> Option<&Json> {
        self.definition.pointer("/responses/200/content/application~1json/schema")
    }
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The operations of `unsupported.toml`.
fn unsupported() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("unsupported.toml")).expect("unsupported.toml is there");
    let lists: toml::Table = toml::from_str(&text).expect("unsupported.toml is right");
    let names = lists.values().filter_map(toml::Value::as_array).flatten();
    names.filter_map(toml::Value::as_str).map(ToOwned::to_owned).collect()
}

/// The operations that the server serves; `None` without the shared files.
pub fn supported() -> Option<Vec<Operation>> {
    let shared = std::env::var_os("HUBBUB_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let file = shared.join("fixtures/matrix/matrix-openapi/client-server.json");
    let Ok(text) = std::fs::read(&file) else {
        let excused = std::env::var_os("CI").is_none() || std::env::var("HUBBUB_NO_SHARED").as_deref() == Ok("1");
        assert!(excused, "there is no {}", file.display());
        println!("skipped: there is no {}", file.display());
        return None;
    };
    let api: Json = serde_json::from_slice(&text).expect("the file is JSON");
    let unsupported = unsupported();
    let known = |name: &&&str| {
        let (method, path) = name.split_once(' ').expect("a method and a path");
        api.get("paths").is_some_and(|paths| paths.get(path).is_some_and(|at| at.get(method.to_lowercase()).is_some()))
    };
    let unknown = SERVED_LATER.iter().find(|name| !known(name));
    assert_eq!(unknown, None, "the specification has no such operation");
    let mut found = Vec::new();
    for (path, methods) in api.get("paths").and_then(Json::as_object).expect("paths") {
        for (method, definition) in methods.as_object().expect("methods") {
            // Two operations share a path but for a blank, in the file only.
            let name = format!("{} {}", method.to_uppercase(), path.trim_end());
            let is_served = added_in(definition) <= NEWEST || SERVED_LATER.contains(&name.as_str());
            if is_served && !unsupported.contains(&name) {
                found.push(operation(path.trim_end(), method, definition));
            }
        }
    }
    Some(found)
}

fn operation(path: &str, method: &str, definition: &Json) -> Operation {
    let parameters = definition.get("parameters").and_then(Json::as_array).into_iter().flatten();
    let required =
        parameters.filter(|one| one.get("in") == Some(&"query".into()) && one.get("required") == Some(&true.into()));
    Operation {
        id: definition.get("operationId").and_then(Json::as_str).expect("an id").to_owned(),
        method: method.to_uppercase().parse().expect("a method"),
        path: path.to_owned(),
        query: required.filter_map(|one| Some(one.get("name")?.as_str()?.to_owned())).collect(),
        definition: definition.clone(),
    }
}

/// The minor version of v1 that added an operation.
fn added_in(definition: &Json) -> u32 {
    let version = definition.get("x-addedInMatrixVersion").and_then(Json::as_str).unwrap_or("1.0");
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).expect("a version")
}
