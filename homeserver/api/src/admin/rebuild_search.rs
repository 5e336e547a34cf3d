//! `POST /_hubbub/admin/v1/rebuild-search`
//!
//! Empties the full-text index and has every room fill it again, in the background. Rooms are told a
//! few at a time: `{"after": …}` with the `next` of the answer goes on, until there is none.

use hubbub_core::{error::Result, search};

use crate::{
    answer::Outcome,
    call::{Call, optional_text},
    credentials::Admin,
    respond,
};

pub(crate) async fn handle(call: Call<Admin>) -> Result<Outcome> {
    let after = optional_text(&call.object()?, "after")?;
    respond::json(&search::rebuild(&call.context, after.as_deref()).await?)
}
