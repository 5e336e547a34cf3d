//! `POST /_matrix/client/*/register` ([spec])
//!
//! Makes an account. Who may is configured: nobody, whoever has the registration token, or
//! everybody; appservices always may, within their namespaces. The one stage of a flow can be
//! completed in the first request: a session keeps nothing, so that none is needed.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3register

use hubbub_core::{
    context::Registration,
    contract::{
        Address,
        user::{NewDevice, NewSession, UserCommand},
    },
    error::{MatrixError, Result},
    secrets,
    user::uia as flows,
};
use hubbub_storage::directory::accounts;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{MAX_PASSWORD_BYTES, new_user_id};
use crate::{
    answer::Outcome,
    call::{Call, missing},
    credentials::{access_token, find_appservice},
    objects,
    peer::RateLimit,
    respond,
    session::add_refresh,
    uia,
};

#[derive(Deserialize)]
struct Body {
    username: Option<String>,
    password: Option<String>,
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    #[serde(rename = "type")]
    login_type: Option<String>,
    auth: Option<Map<String, Json>>,
    #[serde(default)]
    refresh_token: bool,
}

pub(crate) async fn handle(call: Call) -> Result<Outcome> {
    let body: Body = call.parse()?;
    if body.login_type.as_deref() == Some("m.login.application_service") {
        return register_for_appservice(&call, body).await;
    }
    if call.query("kind").is_some_and(|kind| kind == "guest") {
        return Err(MatrixError::new(403, "M_GUEST_ACCESS_FORBIDDEN", "This server has no guests."));
    }
    let stage = match call.context.config.registration {
        Registration::Closed => {
            return Err(closed());
        }
        Registration::Token => "m.login.registration_token",
        Registration::Open => "m.login.dummy",
    };
    let limit = RateLimit::Registration;
    call.peer.limit(&call.context, limit).await?;
    let user_id = wanted_user_id(&call, body.username.as_deref()).await?;
    if let Some(refusal) = check_stage(&call, stage, body.auth.as_ref()) {
        return refusal;
    }
    let password = body.password.clone().ok_or_else(|| missing("password"))?;
    check_password(&password)?;
    create(&call, user_id, Some(password), None, &body).await
}

/// Registration by an appservice's token, whatever the configuration says
/// ([spec](https://spec.matrix.org/v1.11/application-service-api/#server-admin-style-permissions)).
async fn register_for_appservice(call: &Call, body: Body) -> Result<Outcome> {
    let appservice = find_appservice(call, &access_token(call)?).await?;
    let appservice = appservice.ok_or_else(MatrixError::unknown_token)?;
    let username = body.username.as_deref().ok_or_else(|| missing("username"))?;
    let user_id = new_user_id(&call.context, username)?;
    if !appservice.is_interested_in_user(&user_id) {
        return Err(exclusive());
    }
    let appservice_id = Some(appservice.id().to_owned());
    create(call, user_id, None, appservice_id, &body).await
}

/// 403 `M_FORBIDDEN`.
pub(super) fn closed() -> MatrixError {
    MatrixError::forbidden("Registration is closed on this server.")
}

fn exclusive() -> MatrixError {
    MatrixError::new(
        400,
        "M_EXCLUSIVE",
        "This user name belongs to an appservice's namespace, or lies outside the asking one's.",
    )
}

/// The user id of the account that is wanted; random when no name is given. Told before the stage,
/// so that a client need not complete one for a name that is taken.
pub(super) async fn wanted_user_id(call: &Call, username: Option<&str>) -> Result<OwnedUserId> {
    let random = || call.context.random_id().to_lowercase();
    let username = username.map_or_else(random, str::to_owned);
    let user_id = new_user_id(&call.context, &username)?;
    let appservices = call.context.appservices.list().await?;
    if appservices.iter().any(|appservice| appservice.owns_user(&user_id)) {
        return Err(exclusive());
    }
    let directory = &*call.context.directory;
    if accounts::get(directory, user_id.as_str()).await?.is_some() {
        return Err(MatrixError::new(400, "M_USER_IN_USE", "This user name is taken."));
    }
    Ok(user_id)
}

/// `None` when the stage was completed, else the 401 of the user-interactive authentication API
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#user-interactive-api-in-the-rest-api)).
fn check_stage(call: &Call, stage: &'static str, auth: Option<&Map<String, Json>>) -> Option<Result<Outcome>> {
    let text = |key| auth.and_then(|auth| auth.get(key)).and_then(Json::as_str);
    let completed = text("type") == Some(stage)
        && match stage {
            "m.login.registration_token" => is_registration_token(call, text("token").unwrap_or_default()),
            _ => stage == "m.login.dummy",
        };
    if completed {
        return None;
    }
    let session = text("session").map_or_else(|| call.context.random_id(), str::to_owned);
    let refusal = text("type").map(|_| {
        MatrixError::forbidden("This stage was not completed: the token is wrong, or the stage is none of the flow's.")
    });
    Some(Ok(uia::challenge(flows::challenge(&[&[stage]], &session, &[], refusal.as_ref()))))
}

/// Whether this is the registration token; compared in constant time.
pub(super) fn is_registration_token(call: &Call, token: &str) -> bool {
    let expected = call.context.config.registration_token.as_deref();
    // Hashed, so that not even the length shows.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    expected.is_some_and(|expected| secrets::equal(&digest(token), &digest(expected)))
}

pub(super) fn check_password(password: &str) -> Result<()> {
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return Err(MatrixError::new(400, "M_WEAK_PASSWORD", "A password has 1 to 512 bytes."));
    }
    Ok(())
}

async fn create(
    call: &Call,
    user_id: OwnedUserId,
    password: Option<String>,
    appservice: Option<String>,
    body: &Body,
) -> Result<Outcome> {
    let device = (!body.inhibit_login).then(|| NewDevice {
        device_id: body.device_id.clone(),
        display_name: body.initial_device_display_name.clone(),
        refreshable: body.refresh_token,
        address: Some(call.peer.address.clone()),
    });
    let command = UserCommand::CreateAccount { password, device, owner: false, appservice };
    let address = Address::user(&user_id);
    let session: Option<NewSession> = objects::call(&*call.context.objects, address, &command).await?;
    let mut answer = json!({"user_id": user_id});
    if let (Some(session), Some(answer)) = (session, answer.as_object_mut()) {
        add_refresh(answer, &session);
        answer.insert("access_token".to_owned(), session.access_token.into());
        answer.insert("device_id".to_owned(), session.device_id.into());
    }
    respond::json(&answer)
}
