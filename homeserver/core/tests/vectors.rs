//! Test vectors from outside: the spec's for canonical JSON and signing, Synapse's for hashes,
//! signatures, event ids, redactions and push rules, and stories of state resolution.
//!
//! They are read from `$HUBBUB_SHARED` (default: `shared` beside the checkout). Where that folder
//! is missing the tests say so and pass, except in CI.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use hubbub_core::room::event::{Pdu, canonical_object, event_id_of, rules_of};
use ruma::{
    EventId, OwnedEventId, RoomVersionId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue, redact},
    events::StateEventType,
    room_version_rules::StateResolutionVersion,
    signatures::{Ed25519KeyPair, hash_and_sign_event, sign_json},
    state_res::{StateMap, resolve, utils::event_id_set::EventIdSet},
};
use serde_json::Value as Json;

fn fixture(name: &str) -> Option<Json> {
    let shared = std::env::var_os("HUBBUB_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let path = shared.join("fixtures/matrix").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            let required = std::env::var_os("CI").is_some() && std::env::var("HUBBUB_NO_SHARED").as_deref() != Ok("1");
            assert!(!required, "{} is missing", path.display());
            eprintln!("skipped: {} is missing", path.display());
            None
        }
    }
}

fn key(vectors: &Json) -> Ed25519KeyPair {
    let (id, seed) = (vectors["key_id"].as_str().unwrap(), vectors["seed_base64"].as_str().unwrap());
    let secrets = hubbub_core::secrets::Secrets::parse(
        &format!("ed25519 {} {seed}", id.strip_prefix("ed25519:").unwrap()),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "an admin token for tests",
    );
    secrets.unwrap().signing_key
}

fn object(value: &Json) -> CanonicalJsonObject {
    match CanonicalJsonValue::try_from(value.clone()).unwrap() {
        CanonicalJsonValue::Object(object) => object,
        _ => panic!("not an object"),
    }
}

#[test]
fn the_specs_examples_of_canonical_json_hold() {
    let Some(vectors) = fixture("canonical-json.json") else { return };
    for vector in vectors.as_array().unwrap() {
        let canonical = canonical_object(vector["input_text"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::to_string(&canonical).unwrap(), vector["canonical"].as_str().unwrap());
    }
}

#[test]
fn the_specs_examples_of_signed_json_and_events_hold() {
    let Some(vectors) = fixture("signing.json") else { return };
    let key = key(&vectors);
    for vector in vectors["json_signing"].as_array().unwrap() {
        let mut signed = object(&vector["input"]);
        sign_json("domain", &key, &mut signed).unwrap();
        assert_eq!(Json::from(CanonicalJsonValue::Object(signed)), vector["signed"]);
    }
    let rules = RoomVersionId::V1.rules().unwrap();
    for vector in vectors["event_signing"].as_array().unwrap() {
        let mut signed = object(&vector["input"]);
        hash_and_sign_event("domain", &key, &mut signed, &rules.redaction).unwrap();
        assert_eq!(Json::from(CanonicalJsonValue::Object(signed)), vector["signed"]);
    }
}

#[test]
fn hashes_signatures_ids_and_redactions_are_those_of_an_independent_server() {
    let Some(vectors) = fixture("synapse-oracle.json") else { return };
    let key = key(&vectors);
    let mut held = 0;
    for vector in vectors["events"].as_array().unwrap() {
        let version = RoomVersionId::try_from(vector["room_version"].as_str().unwrap()).unwrap();
        // Version 1 differs from 2 only in state resolution; its events are the same.
        let rules = version.rules().unwrap();
        let about = format!("{} in version {version}", vector["name"]);
        let mut event = object(&vector["input"]);
        hash_and_sign_event("domain", &key, &mut event, &rules.redaction).unwrap();
        let json = Json::from(CanonicalJsonValue::Object(event.clone()));
        assert_eq!(json["hashes"]["sha256"], vector["content_hash"], "{about}");
        assert_eq!(json["signatures"]["domain"]["ed25519:1"], vector["signature"], "{about}");
        assert_eq!(event_id_of(&event, &rules).unwrap().as_str(), vector["event_id"], "{about}");
        let mut redacted = Json::from(CanonicalJsonValue::Object(redact(event, &rules.redaction, None).unwrap()));
        let mut expected = vector["redacted"].clone();
        for side in [&mut redacted, &mut expected] {
            // Servers keep `unsigned` of a pruned event as they like.
            side.as_object_mut().unwrap().remove("unsigned");
        }
        assert_eq!(redacted, expected, "{about}");
        held += 1;
    }
    assert_eq!(held, 156);
}

/// The events of a story, by id.
struct Story {
    events: BTreeMap<OwnedEventId, Pdu>,
    version: RoomVersionId,
}

impl Story {
    fn new(batches: &[Json]) -> Self {
        let mut events = BTreeMap::new();
        let mut version = None;
        for event in batches.iter().flat_map(|batch| batch.as_array().unwrap()) {
            let id = OwnedEventId::try_from(event["event_id"].as_str().unwrap()).unwrap();
            let pdu = Pdu::parse(id.clone(), &event.to_string(), false).unwrap();
            if event["type"] == "m.room.create" {
                let named = event["content"]["room_version"].as_str().unwrap();
                version = Some(RoomVersionId::try_from(named).unwrap());
            }
            events.insert(id, pdu);
        }
        Self { events, version: version.unwrap() }
    }

    fn get(&self, id: &EventId) -> Option<Pdu> {
        self.events.get(id).cloned()
    }

    fn auth_chain(&self, ids: impl IntoIterator<Item = OwnedEventId>) -> EventIdSet<OwnedEventId> {
        let mut chain = EventIdSet::new();
        let mut left: Vec<OwnedEventId> = ids.into_iter().collect();
        while let Some(id) = left.pop() {
            if let Some(event) = self.events.get(&id).filter(|_| chain.insert(id.clone())) {
                left.extend(event.fields.auth_events.iter().cloned());
            }
        }
        chain
    }

    /// Events on a path of auth events between two conflicted ones.
    fn subgraph(&self, conflicted: &StateMap<Vec<OwnedEventId>>) -> EventIdSet<OwnedEventId> {
        let ends: BTreeSet<_> = conflicted.values().flatten().cloned().collect();
        let mut subgraph = EventIdSet::new();
        for id in self.events.keys() {
            let above = self.auth_chain([id.clone()]).iter().any(|other| ends.contains(other));
            let below = ends.iter().any(|end| self.auth_chain([end.clone()]).contains(id));
            if above && below {
                subgraph.insert(id.clone());
            }
        }
        subgraph
    }

    fn resolve(&self, states: &[StateMap<OwnedEventId>]) -> StateMap<OwnedEventId> {
        let rules = rules_of(&self.version).unwrap();
        let StateResolutionVersion::V2(resolution) = rules.state_res else {
            panic!("version 1 cannot be resolved");
        };
        let chains = states.iter().map(|state| self.auth_chain(state.values().cloned())).collect();
        resolve(
            &rules.authorization,
            &resolution,
            states,
            chains,
            |id| self.get(id),
            |conflicted| Some(self.subgraph(conflicted)),
        )
        .unwrap()
    }

    /// The state after all events, forks resolved wherever they meet.
    fn play(&self) -> StateMap<OwnedEventId> {
        let mut after: BTreeMap<OwnedEventId, StateMap<OwnedEventId>> = BTreeMap::new();
        let mut left: Vec<&Pdu> = self.events.values().collect();
        while !left.is_empty() {
            let ready =
                left.iter().position(|event| event.fields.prev_events.iter().all(|id| after.contains_key(id))).unwrap();
            let event = left.remove(ready);
            let before: Vec<_> = event.fields.prev_events.iter().map(|id| after[id].clone()).collect();
            let mut state = match before.as_slice() {
                [] => StateMap::new(),
                [one] => one.clone(),
                several => self.resolve(several),
            };
            if let Some(key) = &event.fields.state_key {
                let kind = StateEventType::from(event.fields.event_type.to_string());
                state.insert((kind, key.clone()), event.event_id.clone());
            }
            after.insert(event.event_id.clone(), state);
        }
        let inner: BTreeSet<_> = self.events.values().flat_map(|event| &event.fields.prev_events).collect();
        let ends: Vec<_> = after.iter().filter(|(id, _)| !inner.contains(id)).map(|(_, state)| state.clone()).collect();
        if let [one] = ends.as_slice() {
            return one.clone();
        }
        self.resolve(&ends)
    }
}

#[test]
fn stories_of_forked_rooms_resolve_as_expected() {
    let Some(cases) = fixture("state-res/cases.json") else { return };
    for case in cases.as_array().unwrap() {
        let load = |key: &str| -> Vec<Json> {
            let names = case[key].as_array().into_iter().flatten();
            names.map(|name| fixture(&format!("state-res/fixtures/{}", name.as_str().unwrap())).unwrap()).collect()
        };
        let state = match case.get("state_maps") {
            None => Story::new(&load("batches")).play(),
            Some(_) => {
                let story = Story::new(&load("pdus"));
                let states: Vec<StateMap<OwnedEventId>> = load("state_maps")
                    .iter()
                    .map(|ids| {
                        let ids = ids.as_array().unwrap().iter();
                        ids.map(|id| {
                            let id = OwnedEventId::try_from(id.as_str().unwrap()).unwrap();
                            let event = &story.events[&id];
                            let kind = StateEventType::from(event.fields.event_type.to_string());
                            ((kind, event.fields.state_key.clone().unwrap()), id)
                        })
                        .collect()
                    })
                    .collect();
                story.resolve(&states)
            }
        };
        let resolved: BTreeSet<String> = state.values().map(ToString::to_string).collect();
        let expected = fixture(&format!("state-res/{}", case["expected"].as_str().unwrap())).unwrap();
        let expected: BTreeSet<String> =
            expected.as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(resolved, expected, "{}", case["name"]);
    }
}
