//! `POST` and `GET /user/{userId}/filter`.

use hubbub_conformance::Homeserver;
use serde_json::json;

/// Suite: TestFilter
#[tokio::test]
async fn filters_of_a_wrong_form_are_refused() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let bad_filters = [
        json!({"presence": "text"}),
        json!({"room": {"timeline": "text"}}),
        json!({"room": {"state": "text"}}),
        json!({"room": {"ephemeral": "text"}}),
        json!({"room": {"account_data": "text"}}),
        json!({"room": {"timeline": {"rooms": "text"}}}),
        json!({"room": {"timeline": {"not_rooms": "text"}}}),
        json!({"room": {"timeline": {"senders": "text"}}}),
        json!({"room": {"timeline": {"not_senders": "text"}}}),
        json!({"room": {"timeline": {"types": "text"}}}),
        json!({"room": {"timeline": {"not_types": "text"}}}),
        json!({"room": {"timeline": {"types": [1]}}}),
        json!({"room": {"timeline": {"rooms": ["no room id"]}}}),
        json!({"room": {"timeline": {"senders": ["no user id"]}}}),
    ];

    for filter in bad_filters {
        let answer = alice.post(["user", &alice.id, "filter"]).json(filter).await;
        assert!((400..500).contains(&answer.status()), "a 4xx was expected\n{answer}");
    }
}

/// Suite: TestSyncFilter/Can create filter
#[tokio::test]
async fn a_filter_is_stored() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;

    let answer = alice.post(["user", &alice.id, "filter"]).json(json!({"room": {"timeline": {"limit": 10}}})).await;

    answer.with_status(200);
}

/// Suite: TestSyncFilter/Can download filter
#[tokio::test]
async fn a_stored_filter_is_read_back() {
    let server = Homeserver::from_env();
    let alice = server.register("alice").await;
    let filter_id = alice.upload_filter(json!({"room": {"timeline": {"limit": 10}}})).await;

    let filter = alice.get(["user", &alice.id, "filter", &filter_id]).await.ok();

    assert_eq!(filter["room"]["timeline"]["limit"], 10);
}
