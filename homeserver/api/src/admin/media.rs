//! `DELETE /_hubbub/admin/v1/media/{mediaId}` and `POST /_hubbub/admin/v1/delete-media`
//!
//! Deletes one file, or many: `{"uploader": "@user:server"}` deletes a user's, `{"unused_since": ms}` those that nobody
//! used since then (within a day). One call deletes at most 100 and answers `{"deleted": 100}`: repeat it until that
//! is 0. Bytes that another user has uploaded too stay that user's.

use hubbub_core::{
    error::{MatrixError, Result},
    media::retention,
};
use ruma::OwnedUserId;
use serde_json::{Value as Json, json};

use crate::{
    answer::Outcome,
    call::{Call, parse_id, required_text},
    credentials::Admin,
    respond,
};

pub(crate) async fn delete(call: Call<Admin>) -> Result<Outcome> {
    retention::delete(&call.context, call.argument(0)).await?;
    respond::empty()
}

pub(crate) async fn delete_many(call: Call<Admin>) -> Result<Outcome> {
    let body = call.object()?;
    let deleted = match (body.contains_key("uploader"), body.get("unused_since")) {
        (true, None) => {
            let uploader: OwnedUserId = parse_id(&required_text(&body, "uploader")?)?;
            retention::delete_of(&call.context, uploader.as_str()).await?
        }
        (false, Some(since)) => {
            let since = Json::as_i64(since);
            let since = since.ok_or_else(|| MatrixError::bad_json("unused_since must be milliseconds."))?;
            retention::delete_unused(&call.context, since).await?
        }
        _ => return Err(MatrixError::bad_json("Either uploader or unused_since must say what is to be deleted.")),
    };
    respond::json(&json!({"deleted": deleted}))
}
