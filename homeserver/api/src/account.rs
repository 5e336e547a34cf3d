//! Accounts ([spec](https://spec.matrix.org/v1.11/client-server-api/#account-registration-and-management)).

mod register;
mod username;
mod whoami;

pub(crate) use username::{local_user_id, new_user_id};

use crate::endpoint::{Endpoint, of, typed};

/// Longer passwords are refused before they are hashed.
pub(crate) const MAX_PASSWORD_BYTES: usize = 512;

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![of::<ruma::api::client::account::register::v3::Request>().raw(register::handle), typed(whoami::handle)]
}
