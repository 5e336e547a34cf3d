//! Identities: made without a password right after the login, replaced only with it.

use matrix_sdk::{
    encryption::{CrossSigningResetAuthType, VerificationState},
    ruma::api::client::uiaa::AuthType,
};

use crate::{
    people::{Person, eventually, until, words},
    talking::encrypted_room,
    verification::verify_each_other,
};

#[tokio::test]
async fn the_first_cross_signing_keys_are_set_up_without_a_password_and_verify_the_device() {
    let person = Person::register("robin").await;
    let robin = person.log_in().await;
    let encryption = robin.client.encryption();
    let shown = encryption.request_user_identity(&robin.user_id()).await.expect("an answer");
    assert!(shown.is_none(), "nobody made an identity yet");
    encryption.bootstrap_cross_signing(None).await.expect("no password is asked for");

    let status = encryption.cross_signing_status().await.expect("keys");
    assert!(status.is_complete());
    let own = || async { robin.identity_of(&robin.user_id()).await.is_some_and(|identity| identity.is_verified()) };
    until("the own identity is verified", own).await;
    let signed = || async {
        let device = encryption.get_own_device().await.expect("the store").expect("a device");
        device.is_cross_signed_by_owner() && device.is_verified()
    };
    until("the device is signed, as a sync says", signed).await;
    until("verified", || async { encryption.verification_state().get() == VerificationState::Verified }).await;

    // Another device sees the identity, and is not part of it.
    let second = person.log_in().await;
    let shown = second.client.encryption().request_user_identity(&robin.user_id()).await.expect("an answer");
    assert!(shown.is_some_and(|identity| !identity.is_verified()));
    assert_eq!(second.client.encryption().verification_state().get(), VerificationState::Unverified);
}

#[tokio::test]
async fn new_cross_signing_keys_in_place_of_old_ones_ask_for_the_password_and_are_noticed() {
    let (_robin, robin) = Person::with_identity("robin").await;
    let (ana_person, ana) = Person::with_identity("ana").await;
    let (_, _) = encrypted_room(&robin, &ana).await;
    verify_each_other(&robin, &ana).await;
    let before = robin.identity_of(&ana.user_id()).await.expect("an identity").master_key().clone();

    let handle =
        ana.client.encryption().reset_cross_signing().await.expect("an answer").expect("the password is asked for");
    let CrossSigningResetAuthType::Uiaa(asked) = handle.auth_type() else { panic!("{:?}", handle.auth_type()) };
    assert!(asked.flows.iter().any(|flow| flow.stages == [AuthType::Password]), "{asked:?}");
    let wrong = {
        let (other, _device) = Person::with_identity("mallory").await;
        other.password(asked.session.clone())
    };
    let refused = handle.auth(Some(wrong)).await.expect_err("somebody else's password");
    assert!(words(&refused).contains("Forbidden"), "{refused:?}");
    handle.auth(Some(ana_person.password(asked.session.clone()))).await.expect("new keys");

    let noticed =
        || async { robin.identity_of(&ana.user_id()).await.filter(|identity| *identity.master_key() != before) };
    let identity = eventually("the other notices that the identity changed", noticed).await;
    assert!(!identity.is_verified() && identity.was_previously_verified() && identity.has_verification_violation());
}
