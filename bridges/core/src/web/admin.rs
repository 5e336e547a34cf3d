//! `POST /_hubbub/admin/v1/<network>/…`: what the management room can do, for the operator.
//!
//! Each takes and answers JSON, and wants the operator's token as a bearer token.

use std::rc::Rc;

use hubbub_core::{
    context::Context,
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::{accounts, bridges};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::answer::{json_answer, refusal};
use crate::{
    contract::{Bridged, Finished, ListedChannel, LoginCommand, LoginStatus, Secret, Started},
    network::NetworkFacts,
};

/// The largest body.
const BODY_LIMIT: usize = 64 * 1024;

/// Everything that any of the endpoints takes.
#[derive(Default, Deserialize)]
struct Body {
    owner: Option<OwnedUserId>,
    login_id: Option<String>,
    signing_secret: Option<Secret>,
    token: Option<Secret>,
    channel: Option<String>,
    per_second: Option<u32>,
}

impl Body {
    fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > BODY_LIMIT {
            return Err(MatrixError::too_large("The body exceeds 64 KiB."));
        }
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        // The parser's own words may quote the body, and a token with it.
        serde_json::from_slice(bytes).map_err(|_| MatrixError::bad_json("The body is not the JSON that this takes."))
    }

    fn login_id(&self) -> Result<&str> {
        wanted(self.login_id.as_deref(), "login_id")
    }

    fn channel(&self) -> Result<&str> {
        wanted(self.channel.as_deref(), "channel")
    }
}

fn wanted<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| MatrixError::new(400, "M_MISSING_PARAM", format!("`{name}` is missing.")))
}

/// Answers one of the endpoints.
pub(super) async fn handle(
    facts: &NetworkFacts,
    context: &Rc<Context>,
    verb: &str,
    request: &http::Request<Vec<u8>>,
) -> http::Response<Vec<u8>> {
    match answer(facts, context, verb, request).await {
        Ok(body) => json_answer(200, &body),
        Err(error) => refusal(&error),
    }
}

async fn answer(
    facts: &NetworkFacts,
    context: &Rc<Context>,
    verb: &str,
    request: &http::Request<Vec<u8>>,
) -> Result<Json> {
    let token = request
        .headers()
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| context.config.secrets.is_admin_token(token)) {
        return Err(MatrixError::unknown_token());
    }
    if request.method() != http::Method::POST {
        return Err(MatrixError::new(405, "M_UNRECOGNIZED", "Only POST works here."));
    }
    let body = Body::read(request.body())?;
    let login = |command: LoginCommand| {
        let address = body.login_id().map(|login_id| Address::new(Class::Login, login_id));
        async move { Ok::<_, MatrixError>((address?, command)) }
    };
    let objects = context.objects.as_ref();
    match verb {
        "connect/start" => start(facts, context, &body).await,
        "connect/finish" => {
            let command = LoginCommand::Finish {
                signing_secret: wanted(body.signing_secret.clone(), "signing_secret")?,
                token: wanted(body.token.clone(), "token")?,
                link: None,
            };
            let (address, command) = login(command).await?;
            Ok(json!(call::<Finished>(objects, address, &command).await?))
        }
        "list" => {
            let (address, command) = login(LoginCommand::List).await?;
            let channels: Vec<ListedChannel> = call(objects, address, &command).await?;
            Ok(json!({ "channels": channels }))
        }
        "bridge" => {
            let channel = body.channel()?.to_owned();
            let (address, command) = login(LoginCommand::Bridge { channel }).await?;
            Ok(json!(call::<Bridged>(objects, address, &command).await?))
        }
        "unbridge" => {
            let channel = body.channel()?.to_owned();
            let (address, command) = login(LoginCommand::Unbridge { channel }).await?;
            call::<()>(objects, address, &command).await?;
            Ok(json!({}))
        }
        "pace" => {
            let per_second = wanted(body.per_second, "per_second")?;
            let (address, command) = login(LoginCommand::SetPace { per_second }).await?;
            call::<()>(objects, address, &command).await?;
            Ok(json!({}))
        }
        "disconnect" => {
            let (address, command) = login(LoginCommand::Disconnect).await?;
            call::<()>(objects, address, &command).await?;
            Ok(json!({}))
        }
        "status" => status(facts, context, &body).await,
        _ => Err(MatrixError::new(404, "M_UNRECOGNIZED", "This server does not know this request.")),
    }
}

/// `{"owner": user id}`, by default the server's owner → `{"login_id", "hook_url", "manifest"}`.
async fn start(facts: &NetworkFacts, context: &Rc<Context>, body: &Body) -> Result<Json> {
    let directory = context.directory.as_ref();
    let owner = match &body.owner {
        Some(owner) => owner.clone(),
        None => {
            let owner = accounts::find_owner(directory).await?;
            let owner = owner.and_then(|owner| OwnedUserId::try_from(owner).ok());
            wanted(owner, "owner")?
        }
    };
    if accounts::get(directory, owner.as_str()).await?.is_none() {
        return Err(MatrixError::not_found("There is no such user here."));
    }
    let address = Address::new(Class::Login, facts.object_name(&context.random_id()));
    let command = LoginCommand::Start { owner };
    let started: Started = call(context.objects.as_ref(), address, &command).await?;
    Ok(json!(started))
}

/// `{"login_id"}` → the login; `{"owner"}` → `{"logins": […]}`.
async fn status(facts: &NetworkFacts, context: &Rc<Context>, body: &Body) -> Result<Json> {
    let status = async |login_id: &str| {
        let address = Address::new(Class::Login, login_id);
        call::<LoginStatus>(context.objects.as_ref(), address, &LoginCommand::Status).await
    };
    let Some(owner) = &body.owner else {
        return Ok(json!(status(body.login_id()?).await?));
    };
    let logins = bridges::list_logins_of(context.directory.as_ref(), facts.id, owner.as_str()).await?;
    let mut all = Vec::new();
    for login in logins {
        all.push(status(&login.login_id).await?);
    }
    Ok(json!({ "logins": all }))
}
