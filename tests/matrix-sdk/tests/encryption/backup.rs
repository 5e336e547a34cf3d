//! Secret storage and the key backup: what a new device gets by the recovery key.

use matrix_sdk::encryption::{
    BackupDownloadStrategy, VerificationState, backups::BackupState, recovery::RecoveryState,
};

use crate::{
    people::{Device, Person, until},
    talking::{encrypted_room, hears, read, say},
};

/// The new device is part of the identity and of the backup.
async fn is_recovered(device: &Device) {
    let encryption = device.client.encryption();
    until("verified", || async { encryption.verification_state().get() == VerificationState::Verified }).await;
    until("recovered", || async { encryption.recovery().state() == RecoveryState::Enabled }).await;
    until("backups", || async { encryption.backups().state() == BackupState::Enabled }).await;
}

#[tokio::test]
async fn a_third_device_recovers_by_the_recovery_key_and_reads_old_messages_from_the_backup() {
    let (person, robin) = Person::with_identity("robin").await;
    let (_ana, ana) = Person::with_identity("ana").await;
    let (here, there) = encrypted_room(&robin, &ana).await;
    let old = say(&there, "before there was a backup").await;
    hears(&here, &old, "before there was a backup").await;
    let recovery = robin.client.encryption().recovery();
    let paper = recovery.enable().wait_for_backups_to_upload().await.expect("recovery");
    assert_eq!(recovery.state(), RecoveryState::Enabled);
    let own = say(&here, "and after").await;
    robin.client.encryption().backups().wait_for_steady_state().await.expect("uploaded");

    // A device that asks for a single session when it meets it, and one that takes all that there are.
    for strategy in [BackupDownloadStrategy::AfterDecryptionFailure, BackupDownloadStrategy::OneShot] {
        let third = person.log_in_downloading(strategy).await;
        let room = third.joined(there.room_id()).await;
        assert!(read(&room, &old).await.is_none(), "nobody gave it the key");
        let recovery = third.client.encryption().recovery();
        recovery.recover("EsTL not the key").await.expect_err("another key");
        recovery.recover(&paper).await.expect("recovered");
        is_recovered(&third).await;
        hears(&room, &old, "before there was a backup").await;
        hears(&room, &own, "and after").await;
        let trusted = || async {
            let device_id = third.client.device_id().expect("a login");
            let device = ana.client.encryption().get_device(&third.user_id(), device_id).await.expect("the store");
            device.is_some_and(|device| device.is_cross_signed_by_owner())
        };
        until("the other hears of the device and of its signature", trusted).await;
        let new = say(&there, "welcome, third device").await;
        hears(&room, &new, "welcome, third device").await;
    }
}

#[tokio::test]
async fn a_whole_room_is_restored_and_a_new_recovery_key_replaces_the_old_one() {
    let (person, robin) = Person::with_identity("robin").await;
    let (_ana, ana) = Person::with_identity("ana").await;
    let (here, there) = encrypted_room(&robin, &ana).await;
    let old = say(&there, "an old story").await;
    hears(&here, &old, "an old story").await;
    let recovery = robin.client.encryption().recovery();
    let lost = recovery.enable().wait_for_backups_to_upload().await.expect("recovery");
    let paper = recovery.reset_key().await.expect("a new key");

    let third = person.log_in().await;
    let encryption = third.client.encryption();
    encryption.recovery().recover(&lost).await.expect_err("it was replaced");
    encryption.recovery().recover(&paper).await.expect("recovered");
    let room = third.joined(there.room_id()).await;
    encryption.backups().download_room_keys_for_room(room.room_id()).await.expect("the room's keys");
    hears(&room, &old, "an old story").await;

    // Without a backup there is nothing to restore from, and every device sees that.
    recovery.disable().await.expect("no more backup");
    assert!(!third.client.encryption().backups().fetch_exists_on_server().await.expect("an answer"));
    assert!(!encryption.secret_storage().is_enabled().await.expect("an answer"));
}
