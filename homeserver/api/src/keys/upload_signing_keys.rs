//! `POST /_matrix/client/*/keys/device_signing/upload` ([spec])
//!
//! Publishes cross-signing keys. The first ones, and those that are there already, need no
//! authentication; replacing keys or adding to them needs the password, for these very keys.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3keysdevice_signingupload

use hubbub_core::{
    contract::{
        keys::{CrossSigningKeys, OwnKeysCommand},
        user::UserCommand,
    },
    error::Result,
};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{answer::Outcome, call::Call, credentials::Claim, respond, uia};

#[derive(Deserialize)]
struct Body {
    master_key: Option<Json>,
    self_signing_key: Option<Json>,
    user_signing_key: Option<Json>,
}

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let named =
        [("master", body.master_key), ("self_signing", body.self_signing_key), ("user_signing", body.user_signing_key)];
    let keys = named.into_iter().filter_map(|(usage, key)| Some((usage.to_owned(), key?))).collect();
    let guard = uia::guard(&call).await?;
    let command = OwnKeysCommand::SetCrossSigning { guard, keys: CrossSigningKeys { keys } };
    uia::carry_out_of_user(&call, UserCommand::Keys(Box::new(command)), |()| respond::empty()).await
}
