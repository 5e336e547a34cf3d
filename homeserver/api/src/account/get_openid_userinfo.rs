//! `GET /_matrix/federation/v1/openid/userinfo` ([spec])
//!
//! Whose an OpenID token is. A third party asks, so it needs nothing but the token.
//!
//! [spec]: https://spec.matrix.org/v1.11/server-server-api/#get_matrixfederationv1openiduserinfo

use hubbub_core::{
    contract::{Address, account::AccountCommand, user::UserCommand},
    error::{MatrixError, Result},
    user::token::{self, Purpose},
};
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::query_token, objects, respond};

pub(crate) async fn handle(call: Call) -> Result<Outcome> {
    let token = query_token(&call)?;
    let config = &call.context.config;
    let token = token::parse_for(&config.secrets, Purpose::OpenId, &config.server_name, &token)
        .ok_or_else(MatrixError::unknown_token)?;
    let command = UserCommand::Account(AccountCommand::CheckOpenIdToken { secret: token.secret });
    let address = Address::user(&token.user_id);
    let () = objects::call_again(&*call.context.objects, address, &command).await?;
    respond::json(&json!({"sub": token.user_id}))
}
