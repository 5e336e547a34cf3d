//! Files that only the people in the room can open.

use matrix_sdk::{
    attachment::AttachmentConfig,
    ruma::events::room::{
        MediaSource,
        message::{MessageType, RoomMessageEventContent},
    },
};

use crate::{
    people::{Person, eventually},
    talking::{encrypted_room, read},
};

#[tokio::test]
async fn an_encrypted_attachment_is_downloaded_and_decrypted_by_the_other() {
    let (_robin, robin) = Person::with_identity("robin").await;
    let (_ana, ana) = Person::with_identity("ana").await;
    let (here, there) = encrypted_room(&robin, &ana).await;
    let bytes: Vec<u8> = (0..40_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();

    let sent = here
        .send_attachment("secret.bin", &mime::APPLICATION_OCTET_STREAM, bytes.clone(), AttachmentConfig::new())
        .await;
    let event_id = sent.expect("the attachment").event_id;
    let event = eventually("the attachment", || read(&there, &event_id)).await;
    let content: RoomMessageEventContent = event.raw().get_field("content").expect("a message").expect("a content");
    let MessageType::File(file) = &content.msgtype else { panic!("{content:?}") };
    assert_eq!(file.body, "secret.bin");
    let opened = ana.client.media().get_file(file, false).await.expect("the file");
    assert_eq!(opened.as_ref(), Some(&bytes));

    // What lies on the server is something else.
    let MediaSource::Encrypted(encrypted) = &file.source else { panic!("it is not encrypted") };
    let plainly = MediaSource::Plain(encrypted.url.clone());
    let request =
        matrix_sdk::media::MediaRequestParameters { source: plainly, format: matrix_sdk::media::MediaFormat::File };
    let stored = ana.client.media().get_media_content(&request, false).await.expect("the stored bytes");
    assert_eq!(stored.len(), bytes.len());
    assert_ne!(stored, bytes);
}
