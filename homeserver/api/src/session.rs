//! Logging in and out ([spec](https://spec.matrix.org/v1.11/client-server-api/#login)).

mod get_login_types;
mod login;
mod logout;
mod logout_all;

use crate::endpoint::{Endpoint, of, typed};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(get_login_types::handle),
        of::<ruma::api::client::session::login::v3::Request>().raw(login::handle),
        typed(logout::handle),
        typed(logout_all::handle),
    ]
}
