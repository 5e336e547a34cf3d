//! Two ends compare seven emoji.

use matrix_sdk::{
    encryption::{
        VerificationState,
        verification::{SasVerification, VerificationRequest},
    },
    ruma::events::key::verification::VerificationMethod,
};

use crate::{
    people::{Device, Person, eventually, until},
    talking::encrypted_room,
};

/// Compares the emoji of both ends, as two people do, and confirms.
async fn compare_emoji(asking: &Device, request: VerificationRequest, answering: &Device) {
    let (asker, flow) = (asking.user_id(), request.flow_id().to_owned());
    let find = || async { answering.client.encryption().get_verification_request(&asker, &flow).await };
    let asked = eventually("the verification request", find).await;
    asked.accept_with_methods(vec![VerificationMethod::SasV1]).await.expect("accepted");
    until("the answer", || async { request.is_ready() }).await;
    let mine = request.start_sas().await.expect("a start").expect("both can compare emoji");
    let started = || async { answering.client.encryption().get_verification(&asker, &flow).await?.sas() };
    let theirs = eventually("the start", started).await;
    theirs.accept().await.expect("accepted");
    for side in [&mine, &theirs] {
        until("the emoji", || async { side.can_be_presented() }).await;
    }
    let seen = |side: &SasVerification| side.emoji().expect("emoji").map(|emoji| emoji.symbol);
    assert_eq!(seen(&mine), seen(&theirs));
    mine.confirm().await.expect("confirmed");
    theirs.confirm().await.expect("confirmed");
    for side in [&mine, &theirs] {
        until("the end", || async { side.is_done() }).await;
    }
}

/// The two, who share a room, verify each other in it.
pub async fn verify_each_other(asking: &Device, answering: &Device) {
    let other = answering.user_id();
    let find = || async { asking.client.encryption().request_user_identity(&other).await.expect("an answer") };
    let identity = eventually("the other's identity", find).await;
    // The SDK drops a request of a device that it does not know yet, which it may get in the answer that brings the room.
    let knows = || async { answering.identity_of(&asking.user_id()).await.is_some() };
    until("the other knows who asks", knows).await;
    let request = identity.request_verification_with_methods(vec![VerificationMethod::SasV1]).await.expect("a request");
    compare_emoji(asking, request, answering).await;
    for (one, other) in [(asking, answering), (answering, asking)] {
        let verified =
            || async { one.identity_of(&other.user_id()).await.is_some_and(|identity| identity.is_verified()) };
        until("the other is verified", verified).await;
    }
}

#[tokio::test]
async fn two_people_verify_each_other_by_emoji_and_trust_each_others_devices() {
    let (_robin, robin) = Person::with_identity("robin").await;
    let (_ana, ana) = Person::with_identity("ana").await;
    encrypted_room(&robin, &ana).await;
    verify_each_other(&robin, &ana).await;
    let device_id = ana.client.device_id().expect("a login");
    let device = robin.client.encryption().get_device(&ana.user_id(), device_id).await.expect("the store");
    assert!(device.expect("the device").is_verified_with_cross_signing());
}

#[tokio::test]
async fn a_new_device_is_verified_by_an_old_one_and_gets_its_secrets() {
    let (person, old) = Person::with_identity("robin").await;
    old.client.encryption().recovery().enable().await.expect("recovery");
    let new = person.log_in().await;
    let device_id = new.client.device_id().expect("a login");
    let find = || async { old.client.encryption().get_device(&old.user_id(), device_id).await.expect("the store") };
    let device = eventually("the new device", find).await;
    let request = device.request_verification_with_methods(vec![VerificationMethod::SasV1]).await.expect("a request");
    compare_emoji(&old, request, &new).await;
    let encryption = new.client.encryption();
    until("verified", || async { encryption.verification_state().get() == VerificationState::Verified }).await;
    // They go from device to device, encrypted, when the new one asks for them.
    let complete = || async { encryption.cross_signing_status().await.is_some_and(|status| status.is_complete()) };
    until("the private cross-signing keys", complete).await;
    until("the key of the backup", || async { encryption.backups().are_enabled().await }).await;
}
