//! `POST /_matrix/client/*/logout` ([spec])
//!
//! Ends the session of the access token.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3logout

use hubbub_core::{
    contract::user::{Caller, UserCommand},
    error::{MatrixError, Result},
};
use ruma::api::client::session::logout::v3;

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, _: v3::Request) -> Result<v3::Response> {
    end(&call, false).await?;
    Ok(v3::Response::new())
}

/// Ends one session or all of the user; an appservice's token is no session that could end.
pub(super) async fn end(call: &Call<Claim>, all: bool) -> Result<()> {
    let Caller::Session(session) = &call.auth.caller else {
        return Err(MatrixError::forbidden("An appservice's token cannot be logged out."));
    };
    let command = UserCommand::Logout { session: session.clone(), all };
    objects::call(&*call.context.objects, call.auth.address(), &command).await
}
