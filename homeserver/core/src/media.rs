//! Files: uploads, what is found under a media id, thumbnails, previews of pages, and deletion.
//!
//! Media ids are random; D1 maps them to bytes that are stored once by their hash
//! ([`hubbub_storage::directory::media`]). Bytes stream between the client and R2 and enter this
//! program only where a thumbnail is made of them. Open [`upload`] next.

pub mod charset;
pub mod find;
pub mod preview;
pub mod public_avatar;
pub mod retention;
pub mod thumbnail;
pub mod upload;
