//! Who asks: from an access token to a user, at the price that the endpoint needs.
//!
//! [`Public`] reads no token, [`Visitor`] one that may be missing. [`Claim`] checks a token's MAC without calling anybody: for commands
//! that the user's own object carries out and so checks the session itself. [`Authenticated`] asks
//! the user's object, for commands to other objects. [`Admin`] is the operator.

use std::rc::Rc;

use crate::{
    call::{Call, parse_id},
    objects,
    peer::RateLimit,
};
use http::{Method, header};
use hubbub_core::{
    context::Appservice,
    contract::{
        Address,
        room::{Actor, Profile},
        user::{self, Caller, SessionProof, UserCommand},
    },
    error::{MatrixError, Result},
    user::token,
};
use ruma::OwnedUserId;

/// No token is longer; a longer one is refused unread.
const MAX_TOKEN_BYTES: usize = 1024;

/// What an endpoint wants to know of the sender before it runs.
pub(crate) trait Credentials: Sized {
    /// Checks the request; 401 or 403 when it has not what is needed.
    fn check(call: &Call) -> impl Future<Output = Result<Self>>;
}

/// Nothing: the endpoint is open to everybody.
pub(crate) struct Public;

impl Credentials for Public {
    async fn check(_: &Call) -> Result<Self> {
        Ok(Self)
    }
}

/// A user whose token is genuine. Whether the session still exists is for the user's object to
/// say, to which [`Self::caller`] goes along.
pub(crate) struct Claim {
    /// The user.
    pub user_id: OwnedUserId,
    /// The proof for the user's object.
    pub caller: Caller,
    /// `?ts=`: only appservices may set it.
    pub timestamp: Option<i64>,
    /// The appservice that acts as the user.
    pub appservice: Option<Rc<dyn Appservice>>,
}

impl Claim {
    /// The user's object.
    pub fn address(&self) -> Address {
        Address::user(&self.user_id)
    }

    /// 403 `M_FORBIDDEN` unless the path names the user who asks.
    pub fn must_be(&self, user_id: &ruma::UserId) -> Result<()> {
        if self.user_id == user_id {
            return Ok(());
        }
        Err(MatrixError::forbidden("You can only do this for your own user."))
    }
}

impl Credentials for Claim {
    async fn check(call: &Call) -> Result<Self> {
        let token = access_token(call)?;
        let config = &call.context.config;
        if let Some(token) = token::parse(&config.secrets, &config.server_name, &token) {
            return Ok(Self {
                user_id: token.user_id,
                caller: Caller::Session(SessionProof { address: Some(call.peer.address.clone()), ..token.session }),
                timestamp: None,
                appservice: None,
            });
        }
        let appservice = find_appservice(call, &token).await?;
        let appservice = appservice.ok_or_else(MatrixError::unknown_token)?;
        let user_id = acting_user(call, &*appservice)?;
        Ok(Self {
            user_id,
            caller: acting_caller(call, &*appservice),
            timestamp: call.query_as("ts")?,
            appservice: Some(appservice),
        })
    }
}

/// Whoever holds a genuine token, or a stranger, whose address is limited: for what is open to everybody and costs
/// a query. 429 `M_LIMIT_EXCEEDED` for a stranger who asks too often.
pub(crate) struct Visitor(pub Option<Claim>);

impl Credentials for Visitor {
    async fn check(call: &Call) -> Result<Self> {
        let claim = Claim::check(call).await.ok();
        if claim.is_none() {
            call.peer.limit(&call.context, RateLimit::Lookup).await?;
        }
        Ok(Self(claim))
    }
}

/// A user whose session exists, or an appservice's user.
pub(crate) struct Authenticated {
    /// The claim that was proved.
    pub claim: Claim,
    /// The device of the session; `None` for an appservice's user.
    pub device_id: Option<String>,
    profile: Option<Profile>,
    ignored: Vec<OwnedUserId>,
}

impl Authenticated {
    /// The user.
    pub fn user_id(&self) -> &OwnedUserId {
        &self.claim.user_id
    }

    /// Who acts, for a room.
    pub fn actor(&self) -> Actor {
        let device = match &self.claim.caller {
            Caller::Session(_) => self.device_id.clone().unwrap_or_default(),
            Caller::Appservice(id) => format!("appservice:{id}"),
            Caller::AppserviceDevice { device_id, .. } => device_id.clone(),
        };
        Actor { user_id: self.claim.user_id.clone(), device, ignored: self.ignored.clone() }
    }

    /// The user's profile, for a member event. For an appservice's user it is asked for only here:
    /// 403 `M_FORBIDDEN` when the user was never registered, while the appservice's bot exists by
    /// its registration.
    pub async fn profile<A>(&self, call: &Call<A>) -> Result<Profile> {
        if let Some(profile) = &self.profile {
            return Ok(profile.clone());
        }
        let objects = &*call.context.objects;
        let asked = objects::call(objects, self.claim.address(), &UserCommand::GetProfile).await;
        match asked {
            Err(error) if error.status == 404 => {}
            asked => return asked,
        }
        let appservice = self.claim.appservice.as_ref();
        let bot = appservice.filter(|appservice| *appservice.bot() == *self.claim.user_id);
        let Some(bot) = bot else {
            return Err(MatrixError::forbidden("The appservice must register this user first."));
        };
        let create = UserCommand::CreateAccount {
            password: None,
            device: None,
            owner: false,
            appservice: Some(bot.id().to_owned()),
        };
        let created: Result<Option<user::NewSession>> = objects::call(objects, self.claim.address(), &create).await;
        match created {
            // Two first requests at once: the other one made it.
            Err(error) if error.errcode == "M_USER_IN_USE" => {}
            created => {
                created?;
            }
        }
        Ok(Profile::default())
    }
}

impl Credentials for Authenticated {
    async fn check(call: &Call) -> Result<Self> {
        let claim = Claim::check(call).await?;
        let Caller::Session(session) = &claim.caller else {
            let device_id = match &claim.caller {
                Caller::AppserviceDevice { device_id, .. } => Some(device_id.clone()),
                Caller::Appservice(_) | Caller::Session(_) => None,
            };
            return Ok(Self { claim, device_id, profile: None, ignored: Vec::new() });
        };
        let command = UserCommand::Authenticate {
            session: session.clone(),
            writes: !matches!(*call.request().method(), Method::GET | Method::HEAD),
        };
        let answer: user::Authenticated = objects::call(&*call.context.objects, claim.address(), &command).await?;
        Ok(Self { claim, device_id: Some(answer.device_id), profile: Some(answer.profile), ignored: answer.ignored })
    }
}

/// The operator, by the admin token.
pub(crate) struct Admin;

impl Credentials for Admin {
    async fn check(call: &Call) -> Result<Self> {
        // From the header only: an address with the operator's token in it would end up in logs.
        let token = bearer_token(call)?.ok_or_else(missing_token)?;
        if call.context.config.secrets.is_admin_token(&token) {
            return Ok(Self);
        }
        call.peer.limit(&call.context, RateLimit::Login).await?;
        Err(MatrixError::unknown_token())
    }
}

/// The access token of a request: from the header `Authorization`, else from the query
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#using-access-tokens)).
pub(crate) fn access_token<A>(call: &Call<A>) -> Result<String> {
    match bearer_token(call)? {
        Some(token) => within_limits(token),
        None => query_token(call),
    }
}

/// The access token in the query.
pub(crate) fn query_token<A>(call: &Call<A>) -> Result<String> {
    within_limits(call.query("access_token").ok_or_else(missing_token)?.into_owned())
}

fn within_limits(token: String) -> Result<String> {
    if token.is_empty() {
        return Err(missing_token());
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(MatrixError::unknown_token());
    }
    Ok(token)
}

/// The token in the header `Authorization`; `None` without the header.
fn bearer_token<A>(call: &Call<A>) -> Result<Option<String>> {
    let Some(value) = call.request().headers().get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.to_str().ok().and_then(|value| value.trim().split_once(' '));
    let (scheme, token) = value.ok_or_else(missing_token)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing_token());
    }
    Ok(Some(token.trim().to_owned()))
}

fn missing_token() -> MatrixError {
    MatrixError::new(401, "M_MISSING_TOKEN", "This request needs an access token.")
}

/// The appservice that owns this token.
pub(crate) async fn find_appservice<A>(call: &Call<A>, token: &str) -> Result<Option<Rc<dyn Appservice>>> {
    let appservices = call.context.appservices.list().await?;
    Ok(appservices.iter().find(|appservice| appservice.owns_token(token)).cloned())
}

/// The appservice, as the device that `?device_id=` names if it registered for that
/// ([MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)).
fn acting_caller(call: &Call, appservice: &dyn Appservice) -> Caller {
    let id = appservice.id().to_owned();
    let device = ["device_id", "org.matrix.msc3202.device_id"].into_iter().find_map(|name| call.query(name));
    match device {
        Some(device) if appservice.receives_device_lists() => {
            Caller::AppserviceDevice { id, device_id: device.into_owned() }
        }
        _ => Caller::Appservice(id),
    }
}

/// The user that an appservice acts as: `?user_id=`, by default its bot
/// ([spec](https://spec.matrix.org/v1.11/application-service-api/#identity-assertion)). 403
/// `M_FORBIDDEN` for a user outside its namespaces.
fn acting_user(call: &Call, appservice: &dyn Appservice) -> Result<OwnedUserId> {
    let Some(asserted) = call.query("user_id") else {
        return Ok(appservice.bot().to_owned());
    };
    let user_id: OwnedUserId = parse_id(&asserted)?;
    let is_local = user_id.server_name() == call.context.config.server_name;
    if is_local && appservice.is_interested_in_user(&user_id) {
        return Ok(user_id);
    }
    Err(MatrixError::forbidden("The appservice may not act as this user."))
}
