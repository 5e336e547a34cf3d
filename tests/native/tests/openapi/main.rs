//! Every operation of the specification that is not in `unsupported.toml`, called with what a client would send: the answer
//! is what the specification's schema says.
//!
//! [`specification`] reads the specification and the list, [`world`] is what operations act on, [`bodies`] what they are sent.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod bodies;
mod keys;
mod specification;
mod world;

use serde_json::Value as Json;

use self::{specification::Operation, world::World};

/// Where an answer differs on purpose: the operation, what the difference says, why.
const KNOWN: [(&str, &str, &str); 3] = [
    ("getJoinedMembersByRoom", "/display_name: null", "the public suite wants the key, and Synapse answers null"),
    ("getJoinedMembersByRoom", "/avatar_url: null", "the public suite wants the key, and Synapse answers null"),
    ("getTurnServer", "is a required property", "there is no TURN server; Synapse answers an empty object too"),
];

/// The places at which an answer differs from its schema, as sentences.
fn differences(operation: &Operation) -> Vec<String> {
    let world = World::new(&operation.id);
    let reply = world.call(operation);
    let text = || String::from_utf8_lossy(&reply.body).chars().take(300).collect::<String>();
    if reply.status != 200 {
        return vec![format!("answers {}: {}", reply.status, text())];
    }
    let Some(schema) = operation.answer() else { return Vec::new() };
    let Ok(answer) = serde_json::from_slice::<Json>(&reply.body) else {
        return vec![format!("answers no JSON: {}", text())];
    };
    let validator = jsonschema::draft202012::new(schema).expect("the specification's schema is one");
    let found = validator.iter_errors(&answer).map(|error| format!("at {}: {error}", error.instance_path()));
    found.filter(|difference| !is_known(&operation.id, difference)).collect()
}

fn is_known(operation: &str, difference: &str) -> bool {
    KNOWN.iter().any(|(of, what, _)| *of == operation && difference.contains(what))
}

#[test]
fn every_supported_operation_answers_as_its_schema_says() {
    let Some(operations) = specification::supported() else { return };
    assert!(operations.len() > 55, "only {} operations are supported", operations.len());
    let mut wrong = Vec::new();
    for operation in &operations {
        let found = differences(operation);
        wrong.extend(found.into_iter().map(|difference| format!("{}: {difference}", operation.id)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
