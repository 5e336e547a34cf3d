//! What is no endpoint, and what is one by another method.

use hubbub_conformance::{Homeserver, User};
use reqwest::Method;

async fn alice() -> User {
    Homeserver::from_env().register("alice").await
}

async fn is_unknown(alice: &User, paths: &[&str]) {
    for path in paths {
        alice.path(Method::GET, &format!("/_matrix/{path}")).await.refused(404, "M_UNRECOGNIZED");
    }
}

async fn takes_no(method: Method, alice: &User, path: &str) {
    alice.path(method, &format!("/_matrix/{path}")).await.refused(405, "M_UNRECOGNIZED");
}

/// Suite: TestUnknownEndpoints/Unknown prefix
#[tokio::test]
async fn an_unknown_prefix_is_not_recognized() {
    is_unknown(&alice().await, &["unknown"]).await;
}

/// Suite: TestUnknownEndpoints/Client-server endpoints
#[tokio::test]
async fn unknown_client_endpoints_are_not_recognized() {
    let alice = alice().await;
    is_unknown(&alice, &["client/unknown", "client/v1/unknown", "client/v3/room/unknown"]).await;
    takes_no(Method::PUT, &alice, "client/v3/login").await;
}

/// Suite: TestUnknownEndpoints/Server-server endpoints
#[tokio::test]
async fn unknown_federation_endpoints_are_not_recognized() {
    let alice = alice().await;
    is_unknown(&alice, &["federation/unknown", "federation/v1/unknown"]).await;
    takes_no(Method::PUT, &alice, "federation/v1/version").await;
}

/// Suite: TestUnknownEndpoints/Key endpoints
#[tokio::test]
async fn unknown_key_endpoints_are_not_recognized() {
    let alice = alice().await;
    is_unknown(&alice, &["key/unknown", "key/v2/unknown"]).await;
    takes_no(Method::PUT, &alice, "key/v2/query").await;
}

/// Suite: TestUnknownEndpoints/Media endpoints
#[tokio::test]
async fn unknown_media_endpoints_are_not_recognized() {
    let alice = alice().await;
    is_unknown(&alice, &["media/unknown", "media/v3/unknown"]).await;
    takes_no(Method::PATCH, &alice, "media/v3/upload").await;
}
