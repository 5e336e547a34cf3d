//! User-interactive authentication at the front: reads `auth`, limits passwords by address, and
//! turns a challenge into its 401
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#user-interactive-api-in-the-rest-api)).
//!
//! The user's object decides; nothing here does.

use http::StatusCode;
use hubbub_core::{
    contract::{
        account::AccountCommand,
        uia::{Auth, Guard, Guarded},
        user::UserCommand,
    },
    error::{MatrixError, Result},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, peer::RateLimit, respond};

#[derive(Deserialize)]
struct Body {
    auth: Option<AuthBody>,
}

#[derive(Deserialize)]
struct AuthBody {
    #[serde(rename = "type")]
    stage: Option<String>,
    session: Option<String>,
    identifier: Option<Identifier>,
    /// The name before r0.4 had identifiers.
    user: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    identifier_type: String,
    user: Option<String>,
}

/// Who asks, and how the request is authenticated. A password counts against the limit of the
/// address.
pub(crate) async fn guard(call: &Call<Claim>) -> Result<Guard> {
    let body: Body = call.parse()?;
    let auth = body.auth.map(read).transpose()?;
    if auth.as_ref().is_some_and(|auth| auth.password.is_some()) {
        call.peer.limit(&call.context, RateLimit::Login).await?;
    }
    let trusted = call.auth.appservice.as_ref().is_some_and(|appservice| appservice.manages_devices());
    Ok(Guard { caller: call.auth.caller.clone(), auth, trusted })
}

fn read(body: AuthBody) -> Result<Auth> {
    let user = match body.identifier {
        Some(identifier) if identifier.identifier_type != "m.id.user" => {
            return Err(MatrixError::new(400, "M_UNKNOWN", "This server knows users only by their user names."));
        }
        Some(identifier) => identifier.user,
        None => body.user,
    };
    Ok(Auth { stage: body.stage, session: body.session, user, password: body.password })
}

/// Has the user's object carry out a guarded command: its answer, or the 401 that asks the user to
/// authenticate it.
pub(crate) async fn carry_out<T: DeserializeOwned>(
    call: &Call<Claim>,
    command: AccountCommand,
    answer: impl FnOnce(T) -> Result<Outcome>,
) -> Result<Outcome> {
    carry_out_of_user(call, UserCommand::Account(command), answer).await
}

/// The same for a guarded command of another part of the contract.
pub(crate) async fn carry_out_of_user<T: DeserializeOwned>(
    call: &Call<Claim>,
    command: UserCommand,
    answer: impl FnOnce(T) -> Result<Outcome>,
) -> Result<Outcome> {
    match objects::call::<Guarded<T>>(&*call.context.objects, call.auth.address(), &command).await? {
        Guarded::Done(done) => answer(done),
        Guarded::Challenge(body) => Ok(challenge(body)),
    }
}

/// The 401 with this body.
pub(crate) fn challenge(body: Map<String, Json>) -> Outcome {
    let body = Json::Object(body).to_string().into_bytes();
    Outcome::Response(respond::json_bytes(StatusCode::UNAUTHORIZED, body))
}
