//! `POST /_matrix/client/*/user/{userId}/openid/request_token` ([spec])
//!
//! A token that proves to a third party who the user is, and is good for nothing else.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3useruseridopenidrequest_token

use std::time::Duration;

use hubbub_core::{
    contract::{
        account::{AccountCommand, ShortToken},
        user::UserCommand,
    },
    error::{MatrixError, Result},
};
use ruma::{api::client::account::request_openid_token::v3, authentication::TokenType};

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    call.auth.must_be(&request.user_id)?;
    let command = UserCommand::Account(AccountCommand::OpenIdToken { caller: call.auth.caller.clone() });
    let token: ShortToken = objects::call(&*call.context.objects, call.auth.address(), &command).await?;
    let lifetime_ms = u64::try_from(token.expires_in_ms).map_err(MatrixError::internal)?;
    let server_name = call.context.config.server_name.clone();
    Ok(v3::Response::new(token.token, TokenType::Bearer, server_name, Duration::from_millis(lifetime_ms)))
}
