//! Logging in and out ([spec](https://spec.matrix.org/v1.11/client-server-api/#login)).

mod get_login_token;
mod get_login_types;
mod login;
mod logout;
mod logout_all;
mod refresh_token;

pub(crate) use login::add_refresh;

use crate::endpoint::{Endpoint, of, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(get_login_types::handle),
        of::<ruma::api::client::session::login::v3::Request>().raw(login::handle),
        typed(logout::handle),
        typed(logout_all::handle),
        of::<ruma::api::client::session::refresh_token::v3::Request>().raw(refresh_token::handle),
        of::<ruma::api::client::session::get_login_token::v1::Request>().raw(get_login_token::handle),
    ]
}
