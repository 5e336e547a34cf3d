//! The keys of devices and users
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#key-management-api)).
//!
//! What needs the caller's device or password goes through the caller's UserSyncObject, all else to
//! the UserKeysObject of whom it is about: one call a user.

mod claim_keys;
mod get_keys;
mod upload_keys;
mod upload_signatures;
mod upload_signing_keys;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use hubbub_core::{
    contract::{Address, keys::KeysCommand},
    error::{MatrixError, Result},
};
use ruma::{OwnedUserId, api::client::keys};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use crate::{
    call::Call,
    credentials::Authenticated,
    endpoint::{Endpoint, of, own},
    objects,
};

/// How many users' objects are asked at once.
const USERS_AT_ONCE: usize = 16;
/// The most users in one request.
const MAX_USERS: usize = 500;

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    const UNSTABLE: [&str; 2] =
        ["/_matrix/client/unstable/keys/device_signing/upload", "/_matrix/client/unstable/keys/signatures/upload"];
    vec![
        of::<keys::upload_keys::v3::Request>().raw(upload_keys::handle),
        of::<keys::get_keys::v3::Request>().raw(get_keys::handle),
        of::<keys::claim_keys::v3::Request>().raw(claim_keys::handle),
        of::<keys::upload_signing_keys::v3::Request>().raw(upload_signing_keys::handle),
        own(http::Method::POST, UNSTABLE[0]).raw(upload_signing_keys::handle),
        of::<keys::upload_signatures::v3::Request>().raw(upload_signatures::handle),
        own(http::Method::POST, UNSTABLE[1]).raw(upload_signatures::handle),
    ]
}

/// What was asked of several users' objects.
struct Asked<R> {
    /// What local users' objects answered.
    answers: Vec<(OwnedUserId, Result<R>)>,
    /// `failures`: the servers that could not be asked.
    failures: Map<String, Json>,
}

/// Asks the UserKeysObject of each user at the same time. Other servers cannot be asked. 413
/// `M_TOO_LARGE` for too many users.
async fn ask_users<R: DeserializeOwned>(
    call: &Call<Authenticated>,
    commands: BTreeMap<OwnedUserId, KeysCommand>,
) -> Result<Asked<R>> {
    if commands.len() > MAX_USERS {
        return Err(MatrixError::too_large(format_args!("Ask for the keys of at most {MAX_USERS} users at once.")));
    }
    let (local, remote): (Vec<_>, Vec<_>) =
        commands.into_iter().partition(|(user_id, _)| user_id.server_name() == call.context.config.server_name);
    let unreachable = json!({"errcode": "M_UNKNOWN", "error": "This server does not talk to other servers."});
    let failures = remote.iter().map(|(user_id, _)| (user_id.server_name().to_string(), unreachable.clone())).collect();
    let answers = stream::iter(local)
        .map(|(user_id, command)| async move {
            // Once: a claim whose answer is lost is lost, but repeating it would take another key.
            let answer = objects::call(&*call.context.objects, Address::user_keys(&user_id), &command).await;
            (user_id, answer)
        })
        .buffer_unordered(USERS_AT_ONCE)
        .collect()
        .await;
    Ok(Asked { answers, failures })
}
