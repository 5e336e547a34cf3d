//! Names, avatars and other profile fields ([spec](https://spec.matrix.org/v1.11/client-server-api/#profiles)).

mod field;
mod get_avatar_url;
mod get_display_name;
mod get_profile;
mod set_avatar_url;
mod set_display_name;

use http::Method;
use hubbub_core::{
    contract::room::Profile,
    error::{MatrixError, Result},
};
use hubbub_storage::directory::accounts;
use ruma::{OwnedUserId, UserId, api::client::profile};

use crate::{
    appservice::query,
    call::Call,
    credentials::{Authenticated, Visitor},
    endpoint::{Endpoint, of, of_path, own, typed},
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    const UNSTABLE: &str = "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user_id}/{field}";
    vec![
        of_path(Method::GET, "/_matrix/client/v3/profile/{user_id}/{field}").raw(field::get),
        of_path(Method::PUT, "/_matrix/client/v3/profile/{user_id}/{field}").raw(field::put),
        own(Method::DELETE, "/_matrix/client/v3/profile/{user_id}/{field}")
            .also(&[
                "/_matrix/client/v3/profile/{user_id}/displayname",
                "/_matrix/client/v3/profile/{user_id}/avatar_url",
            ])
            .raw(field::delete),
        own(Method::GET, UNSTABLE).raw(field::get),
        own(Method::PUT, UNSTABLE).raw(field::put),
        own(Method::DELETE, UNSTABLE).raw(field::delete),
        own(Method::GET, "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user_id}").raw(get_profile::handle),
        of::<profile::get_profile::v3::Request>().raw(get_profile::handle),
        typed(get_display_name::handle),
        typed(get_avatar_url::handle),
        of::<profile::set_display_name::v3::Request>().raw(set_display_name::handle),
        of::<profile::set_avatar_url::v3::Request>().raw(set_avatar_url::handle),
    ]
}

/// The profile of a user, from D1: it is public, and no stranger's request wakes an object. Who is logged in may
/// ask for a user whom an appservice has yet to make. 404 `M_NOT_FOUND` when there is no such user.
async fn read(call: &Call<Visitor>, user_id: &UserId) -> Result<Profile> {
    let directory = &*call.context.directory;
    let mut account = accounts::get(directory, user_id.as_str()).await?;
    if account.is_none()
        && let Some(asking) = &call.auth.0
        && query::user(&call.context, asking, user_id).await?
    {
        account = accounts::get(directory, user_id.as_str()).await?;
    }
    let account = account.filter(|account| !account.deactivated);
    let account = account.ok_or_else(|| MatrixError::not_found("There is no such user."))?;
    Ok(Profile { displayname: account.displayname, avatar_url: account.avatar_url })
}

/// The profiles of users who are about to be invited, in their order; appservices are asked for those whom they
/// may have. 404 `M_NOT_FOUND` when one of them has no account here (an invitation that nobody can ever see
/// would be forgotten), 403 `M_FORBIDDEN` when one is of another server: this server does not federate yet.
pub(crate) async fn of_users(
    call: &Call<Authenticated>,
    user_ids: &[OwnedUserId],
) -> Result<Vec<(OwnedUserId, Profile)>> {
    let server_name = &call.context.config.server_name;
    if let Some(remote) = user_ids.iter().find(|user| user.server_name() != server_name) {
        return Err(MatrixError::forbidden(format_args!(
            "{remote} is of another server, and this server does not federate."
        )));
    }
    let directory = &*call.context.directory;
    let names: Vec<String> = user_ids.iter().map(ToString::to_string).collect();
    let mut accounts = accounts::list(directory, &names).await?;
    if accounts.len() < user_ids.len() {
        let is_missing = |user: &&OwnedUserId| accounts.iter().all(|account| account.user_id != user.as_str());
        let mut was_made = false;
        for user_id in user_ids.iter().filter(is_missing) {
            // One after the other: the first who does not exist ends it.
            was_made = query::user(&call.context, &call.auth.claim, user_id).await?;
            if !was_made {
                break;
            }
        }
        if was_made {
            accounts = accounts::list(directory, &names).await?;
        }
    }
    user_ids
        .iter()
        .map(|user_id| {
            let account = accounts
                .iter()
                .find(|account| account.user_id == user_id.as_str())
                .ok_or_else(|| MatrixError::not_found(format_args!("There is no user {user_id}.")))?;
            let profile = Profile { displayname: account.displayname.clone(), avatar_url: account.avatar_url.clone() };
            Ok((user_id.clone(), profile))
        })
        .collect()
}
