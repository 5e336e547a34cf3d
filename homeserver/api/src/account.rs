//! Accounts ([spec](https://spec.matrix.org/v1.11/client-server-api/#account-registration-and-management)).

mod change_password;
mod check_registration_token_validity;
mod deactivate;
mod get_3pids;
mod get_openid_userinfo;
mod get_user_info;
mod get_username_availability;
mod register;
mod request_openid_token;
mod username;
mod whoami;

pub(crate) use username::{local_user_id, new_user_id};

use http::Method;
use ruma::api::client::account;

use crate::endpoint::{Endpoint, of, own, typed, typed_sparse};

/// Longer passwords are refused before they are hashed.
pub(crate) const MAX_PASSWORD_BYTES: usize = 512;

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<account::register::v3::Request>().raw(register::handle),
        of::<account::get_username_availability::v3::Request>().raw(get_username_availability::handle),
        of::<account::check_registration_token_validity::v1::Request>().raw(check_registration_token_validity::handle),
        typed(whoami::handle),
        of::<account::change_password::v3::Request>().raw(change_password::handle),
        of::<account::deactivate::v3::Request>().raw(deactivate::handle),
        of::<account::get_3pids::v3::Request>().raw(get_3pids::handle),
        typed_sparse(get_user_info::handle),
        typed(request_openid_token::handle),
        own(Method::GET, "/_matrix/federation/v1/openid/userinfo").raw(get_openid_userinfo::handle),
    ]
}
