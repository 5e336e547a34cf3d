//! `POST /_matrix/client/*/login` ([spec])
//!
//! Opens a session with a password, with a login token of another session, or for an appservice's
//! user with its token. A name without an
//! account costs the same time as a wrong password: its password is tried in one of a few fixed
//! objects that store nothing.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3login

use hubbub_core::{
    contract::{
        Address, Class,
        user::{LoginWith, NewDevice, NewSession, UserCommand},
    },
    error::{MatrixError, Result},
    user::token::{self, Purpose},
};
use hubbub_storage::directory::accounts;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::{
    account::{MAX_PASSWORD_BYTES, local_user_id},
    answer::Outcome,
    call::{Call, missing},
    credentials::{access_token, find_appservice},
    objects,
    peer::RateLimit,
    respond,
};

/// How many objects try the passwords of unknown names.
const DECOYS: u8 = 4;

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    login_type: Option<String>,
    identifier: Option<Identifier>,
    /// The name before r0.4 had identifiers.
    user: Option<String>,
    password: Option<String>,
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
    token: Option<String>,
    #[serde(default)]
    refresh_token: bool,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    identifier_type: String,
    user: Option<String>,
}

impl Body {
    /// The name that the user typed.
    fn name(&self) -> Result<&str> {
        if let Some(identifier) = &self.identifier {
            if identifier.identifier_type != "m.id.user" {
                return Err(MatrixError::new(400, "M_UNKNOWN", "This server knows users only by their user names."));
            }
            return identifier.user.as_deref().ok_or_else(|| missing("user"));
        }
        self.user.as_deref().ok_or_else(|| missing("identifier"))
    }
}

pub(crate) async fn handle(call: Call) -> Result<Outcome> {
    let body: Body = call.parse()?;
    match body.login_type.as_deref() {
        Some("m.login.password") => with_password(&call, &body).await,
        Some("m.login.token") => with_token(&call, &body).await,
        Some("m.login.application_service") => for_appservice(&call, &body).await,
        Some(_) => Err(MatrixError::new(400, "M_UNKNOWN", "This server does not know this kind of login.")),
        None => Err(missing("type")),
    }
}

async fn with_password(call: &Call, body: &Body) -> Result<Outcome> {
    let name = body.name()?;
    let password = body.password.as_deref().ok_or_else(|| missing("password"))?;
    call.peer.limit(&call.context, RateLimit::Login).await?;
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(wrong());
    }
    let user_id = local_user_id(&call.context, name);
    let directory = &*call.context.directory;
    let account = match &user_id {
        Some(user_id) => accounts::get(directory, user_id.as_str()).await?,
        None => None,
    };
    let with = LoginWith::Password(password.to_owned());
    let tried = match (user_id, account) {
        (Some(user_id), Some(_)) => open(call, user_id, with, body).await,
        _ => {
            let command = UserCommand::Login { with, device: NewDevice::default() };
            let decoy = decoy(call, name);
            let tried: Result<NewSession> = objects::call(&*call.context.objects, decoy, &command).await;
            tried.and_then(|_| Err(wrong()))
        }
    };
    // The same words whether there is such a user or not.
    tried.map_err(|error| if error.status == 403 { wrong() } else { error })
}

fn wrong() -> MatrixError {
    MatrixError::forbidden("The user name or the password is wrong.")
}

/// The object that tries the password of an unknown name: always the same one for a name.
fn decoy(call: &Call, name: &str) -> Address {
    let digest = Sha256::digest(name.to_lowercase().as_bytes());
    let number = digest.first().copied().unwrap_or_default() % DECOYS;
    let server_name = &call.context.config.server_name;
    Address::new(Class::User, format!("@~decoy{number}:{server_name}"))
}

/// A login with a token that another session of the user asked for
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#token-based-user-login)).
async fn with_token(call: &Call, body: &Body) -> Result<Outcome> {
    let token = body.token.as_deref().ok_or_else(|| missing("token"))?;
    call.peer.limit(&call.context, RateLimit::Login).await?;
    let config = &call.context.config;
    let token = token::parse_for(&config.secrets, Purpose::Login, &config.server_name, token)
        .ok_or_else(|| MatrixError::forbidden("This login token is not valid."))?;
    open(call, token.user_id, LoginWith::Token(token.secret), body).await
}

/// A login of an appservice's user
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#appservice-login)).
async fn for_appservice(call: &Call, body: &Body) -> Result<Outcome> {
    let appservice = find_appservice(call, &access_token(call)?).await?;
    let appservice = appservice.ok_or_else(MatrixError::unknown_token)?;
    let user_id = local_user_id(&call.context, body.name()?);
    let user_id = user_id.filter(|user_id| appservice.is_interested_in_user(user_id));
    let Some(user_id) = user_id else {
        return Err(MatrixError::forbidden("The appservice may not act as this user."));
    };
    let directory = &*call.context.directory;
    if accounts::get(directory, user_id.as_str()).await?.is_none() {
        return Err(MatrixError::forbidden("The appservice must register this user first."));
    }
    let with = LoginWith::Appservice(appservice.id().to_owned());
    open(call, user_id, with, body).await
}

async fn open(call: &Call, user_id: OwnedUserId, with: LoginWith, body: &Body) -> Result<Outcome> {
    let command = UserCommand::Login {
        with,
        device: NewDevice {
            device_id: body.device_id.clone(),
            display_name: body.initial_device_display_name.clone(),
            refreshable: body.refresh_token,
            address: Some(call.peer.address.clone()),
        },
    };
    let address = Address::user(&user_id);
    let session: NewSession = objects::call(&*call.context.objects, address, &command).await?;
    let mut answer = Map::new();
    add_refresh(&mut answer, &session);
    answer.insert("user_id".to_owned(), json!(user_id));
    answer.insert("access_token".to_owned(), session.access_token.into());
    answer.insert("device_id".to_owned(), session.device_id.into());
    let base_url = &call.context.config.public_url;
    answer.insert("well_known".to_owned(), json!({"m.homeserver": {"base_url": base_url}}));
    respond::json(&answer)
}

/// Adds to an answer what a client needs to renew the session.
pub(crate) fn add_refresh(answer: &mut Map<String, Json>, session: &NewSession) {
    if let Some(refresh_token) = &session.refresh_token {
        answer.insert("refresh_token".to_owned(), refresh_token.as_str().into());
    }
    if let Some(expires_in_ms) = session.expires_in_ms {
        answer.insert("expires_in_ms".to_owned(), expires_in_ms.into());
    }
}
