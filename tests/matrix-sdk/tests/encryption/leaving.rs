//! What is left of a device that logged out.

use crate::{
    people::{Person, until, words},
    talking::encrypted_room,
};

#[tokio::test]
async fn a_device_that_logs_out_has_no_keys_any_more() {
    let (_robin, robin) = Person::with_identity("robin").await;
    let (_ana, ana) = Person::with_identity("ana").await;
    encrypted_room(&robin, &ana).await;
    let (user_id, device_id) = (ana.user_id(), ana.client.device_id().expect("a login").to_owned());
    let known =
        || async { robin.client.encryption().get_device(&user_id, &device_id).await.expect("the store").is_some() };
    until("the device", known).await;
    ana.client.logout().await.expect("logged out");
    let refused = ana.client.whoami().await.expect_err("the session has ended");
    assert!(words(&refused).contains("UnknownToken"), "{refused:?}");
    until("the device is gone for the other", || async { !known().await }).await;
}
