//! Rooms in which people talk encrypted.

use matrix_sdk::{
    Room,
    deserialized_responses::TimelineEvent,
    ruma::{
        EventId, OwnedEventId,
        api::client::room::{create_room, get_room_event},
        events::room::{member::MembershipState, message::RoomMessageEventContent},
    },
};
use serde_json::Value as Json;

use crate::people::{Device, Person, eventually, until};

/// A direct room of the two, encrypted, as each of them sees it.
pub async fn encrypted_room(owner: &Device, guest: &Device) -> (Room, Room) {
    let room = owner.client.create_dm(&guest.user_id()).await.expect("a room");
    let room_id = room.room_id().to_owned();
    let invited = eventually("the invitation", || async { guest.client.get_room(&room_id) }).await;
    invited.join().await.expect("the join");
    let theirs = guest.joined(&room_id).await;
    for (room, other) in [(&room, guest.user_id()), (&theirs, owner.user_id())] {
        let joined = || async {
            let member = room.get_member_no_sync(&other).await.expect("the store");
            member.is_some_and(|member| *member.membership() == MembershipState::Join)
        };
        until("both are members", joined).await;
        until("encryption", || async { room.latest_encryption_state().await.is_ok_and(|state| state.is_encrypted()) })
            .await;
    }
    (room, theirs)
}

pub async fn say(room: &Room, text: &str) -> OwnedEventId {
    room.send(RoomMessageEventContent::text_plain(text)).await.expect("a message").response.event_id
}

/// The event as the device can read it: `None` while it cannot.
pub async fn read(room: &Room, event_id: &EventId) -> Option<TimelineEvent> {
    let event = room.event(event_id, None).await.expect("the event");
    event.encryption_info().is_some().then_some(event)
}

/// Waits until the device can read a text.
pub async fn hears(room: &Room, event_id: &EventId, text: &str) {
    let event = eventually(text, || read(room, event_id)).await;
    let content: Json = event.raw().get_field("content").expect("JSON").expect("a content");
    assert_eq!(content["body"], text);
}

#[tokio::test]
async fn an_encrypted_message_is_read_by_the_other_and_is_opaque_to_the_server() {
    let (_robin, robin) = Person::with_identity("robin").await;
    let (_ana, ana) = Person::with_identity("ana").await;
    let (here, there) = encrypted_room(&robin, &ana).await;

    let first = say(&here, "nobody between us reads this").await;
    hears(&there, &first, "nobody between us reads this").await;
    let raw = ana
        .client
        .send(get_room_event::v3::Request::new(there.room_id().to_owned(), first))
        .await
        .expect("the event")
        .event;
    assert_eq!(raw.get_field::<String>("type").expect("JSON").as_deref(), Some("m.room.encrypted"));
    assert!(!raw.json().get().contains("nobody between us"));

    let answer = say(&there, "nor this").await;
    hears(&here, &answer, "nor this").await;
}

#[tokio::test]
async fn everything_works_on_sync_since_sliding_sync_is_not_offered() {
    let (_robin, robin) = Person::with_identity("robin").await;
    // Synapse offers it; this test is for a server that does not.
    let offered = robin.client.available_sliding_sync_versions().await;
    if std::env::var_os("HUBBUB_URL").is_some() {
        assert!(offered.is_empty(), "{offered:?}");
    }
    let room = robin.client.create_room(create_room::v3::Request::new()).await.expect("a room");
    robin.joined(room.room_id()).await;
}

#[tokio::test]
async fn a_message_reaches_all_devices_of_both_and_one_that_came_later_reads_what_comes_after() {
    let (robin_person, robin) = Person::with_identity("robin").await;
    let (ana_person, ana) = Person::with_identity("ana").await;
    let (_, there) = encrypted_room(&robin, &ana).await;
    let early = robin_person.log_in().await;
    let early_room = early.joined(there.room_id()).await;
    let knows = || async {
        let devices = ana.client.encryption().get_user_devices(&robin.user_id()).await.expect("the store");
        devices.keys().count() == 2
    };
    until("the second device among the other's devices", knows).await;
    let before = say(&there, "to both of you").await;
    hears(&early_room, &before, "to both of you").await;

    let late = ana_person.log_in().await;
    let late_room = late.joined(there.room_id()).await;
    let unreadable = read(&late_room, &before).await;
    assert!(unreadable.is_none(), "it was sent before the device was there");
    let knows = || async {
        let devices = robin.client.encryption().get_user_devices(&ana.user_id()).await.expect("the store");
        devices.keys().count() == 2
    };
    until("the late device", knows).await;
    let after = say(&robin.joined(there.room_id()).await, "welcome").await;
    hears(&late_room, &after, "welcome").await;
}
