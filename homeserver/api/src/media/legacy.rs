//! Who may read from the paths that had no authentication before v1.11: whoever has a token. For everybody else there
//! is nothing ([spec](https://spec.matrix.org/v1.11/client-server-api/#content-repository-unauthenticated-deprecated)).

use hubbub_core::{error::Result, media::find::not_found};

use crate::{
    call::Call,
    credentials::{Authenticated, Credentials},
};

/// A reader of an old path; 404 `M_NOT_FOUND` without a valid token.
pub(super) struct Legacy;

impl Credentials for Legacy {
    async fn check(call: &Call) -> Result<Self> {
        match Authenticated::check(call).await {
            Ok(_) => Ok(Self),
            Err(error) if error.status == 401 => Err(not_found()),
            Err(error) => Err(error),
        }
    }
}
