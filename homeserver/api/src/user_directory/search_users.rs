//! `POST /_matrix/client/*/user_directory/search` ([spec])
//!
//! Finds users by name or user id: those who share a room with the searcher, and those in rooms that
//! anybody can join or read.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3user_directorysearch

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::directory::user_directory::{self, UserLookup, folded};
use ruma::{
    OwnedMxcUri, OwnedUserId,
    api::client::user_directory::search_users::v3::{self, User},
};

use crate::{call::Call, credentials::Authenticated};

/// How many users are found at most.
const MAX_LIMIT: u32 = 50;

/// The most bytes of a search term.
const MAX_TERM_BYTES: usize = 512;

/// The most words of it; more are not looked at.
const MAX_WORDS: usize = 8;

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    if request.search_term.len() > MAX_TERM_BYTES {
        return Err(MatrixError::invalid_param(format_args!("A search term may have at most {MAX_TERM_BYTES} bytes.")));
    }
    let own_server = call.context.config.server_name.as_str();
    let words: Option<Vec<String>> =
        folded(&request.search_term).split_whitespace().take(MAX_WORDS).map(|word| wanted(word, own_server)).collect();
    let words = words.unwrap_or_default();
    if words.is_empty() {
        return Ok(v3::Response::new(Vec::new(), false));
    }
    let limit = u32::try_from(request.limit).unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    let lookup = UserLookup {
        searcher: call.auth.user_id().as_str(),
        words: &words,
        phrase: &words.join(" "),
        limit: limit.saturating_add(1),
    };
    let mut found = user_directory::find(&*call.context.directory, &lookup).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let limited = found.len() > limit;
    found.truncate(limit);
    let users = found.into_iter().map(|found| {
        let mut user = User::new(OwnedUserId::try_from(found.user_id).map_err(MatrixError::internal)?);
        user.display_name = found.displayname;
        user.avatar_url = found.avatar_url.map(OwnedMxcUri::from);
        Ok(user)
    });
    Ok(v3::Response::new(users.collect::<Result<_>>()?, limited))
}

/// What must occur in the name or the localpart; `None` for a user id of another server.
fn wanted(word: &str, own_server: &str) -> Option<String> {
    match word.strip_prefix('@').and_then(|id| id.split_once(':')) {
        Some((localpart, server)) => own_server.starts_with(server).then(|| format!("@{localpart}")),
        None => Some(word.to_owned()),
    }
}
