//! `POST /_matrix/client/*/refresh` ([spec])
//!
//! Exchanges a refresh token for a new access token and a new refresh token. The old one can be sent
//! again until one of the new ones was used, since an answer may be lost.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3refresh

use hubbub_core::{
    contract::{
        Address,
        account::AccountCommand,
        user::{NewSession, UserCommand},
    },
    error::{MatrixError, Result},
    user::token::{self, Purpose},
};
use serde::Deserialize;
use serde_json::{Map, json};

use crate::{
    answer::Outcome,
    call::{Call, missing},
    objects,
    peer::RateLimit,
    respond,
};

#[derive(Deserialize)]
struct Body {
    refresh_token: Option<String>,
}

pub(crate) async fn handle(call: Call) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let token = body.refresh_token.ok_or_else(|| missing("refresh_token"))?;
    call.peer.limit(&call.context, RateLimit::Login).await?;
    let config = &call.context.config;
    // A forged one wakes no object.
    let token = token::parse_for(&config.secrets, Purpose::Refresh, &config.server_name, &token)
        .ok_or_else(|| MatrixError::new(401, "M_UNKNOWN_TOKEN", "This is not a refresh token of this server."))?;
    let command = UserCommand::Account(AccountCommand::Refresh { secret: token.secret });
    let address = Address::user(&token.user_id);
    // Once more when the outcome is unknown: the pair that nobody saw gives way to another.
    let session: NewSession = objects::call_again(&*call.context.objects, address, &command).await?;
    let mut answer = Map::new();
    answer.insert("access_token".to_owned(), json!(session.access_token));
    super::add_refresh(&mut answer, &session);
    respond::json(&answer)
}
