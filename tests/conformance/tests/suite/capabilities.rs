//! `GET /versions` and `GET /capabilities`.

use hubbub_conformance::Homeserver;
use reqwest::Method;

/// Suite: TestServerCapabilities
#[tokio::test]
async fn capabilities_are_told_to_users_only() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let body = alice.get(["capabilities"]).await.ok();

    let capabilities = body["capabilities"].as_object().expect("an object");
    assert!(capabilities.contains_key("m.room_versions"));
    assert!(capabilities.contains_key("m.change_password"));
    server.get(["capabilities"]).await.with_status(401);
}

/// Suite: TestVersionStructure/Version responds 200 OK with valid structure
#[tokio::test]
async fn versions_are_well_formed() {
    let server = Homeserver::from_env();

    let body = server.path(Method::GET, "/_matrix/client/versions").await.ok();

    for version in body["versions"].as_array().expect("an array") {
        let version = version.as_str().expect("a string");
        assert!(is_version(version), "{version}");
    }
    if let Some(features) = body.get("unstable_features") {
        let mut features = features.as_object().expect("an object").values();
        assert!(features.all(serde_json::Value::is_boolean));
    }
}

/// `r0.N.N`, or `vN.N` with a major version of at least 1 and an optional suffix after a hyphen.
fn is_version(version: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit());
    if let Some((minor, patch)) = version.strip_prefix("r0.").and_then(|rest| rest.split_once('.')) {
        return is_number(minor) && is_number(patch);
    }
    let Some((major, rest)) = version.strip_prefix('v').and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let (minor, suffix) = rest.split_once('-').map_or((rest, None), |(minor, suffix)| (minor, Some(suffix)));
    is_number(major) && !major.starts_with('0') && is_number(minor) && suffix != Some("")
}
