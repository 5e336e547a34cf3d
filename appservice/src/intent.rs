//! What a bundled bridge does as its bot, a ghost or a double puppet: a client of our own
//! client-server API, in process.
//!
//! Every call is a real request with the appservice's token, `?user_id=` and, where the spec allows
//! it, `?ts=`, and passes the same router and checks as one from the network. There is no private
//! door. [`error`] says what a refusal means, [`rooms`] and [`account`] hold the calls.

pub mod account;
pub mod error;
pub mod media;
pub mod rooms;

use std::{borrow::Cow, collections::BTreeMap, rc::Rc};

use hubbub_core::context::Context;
use ruma::{
    OwnedUserId,
    api::{
        AppserviceUserIdentity, IncomingResponseExt as _, OutgoingRequest, OutgoingRequestAppserviceExt as _,
        SupportedVersions, auth_scheme, path_builder,
    },
};
use serde_json::Value as Json;
use url::form_urlencoded;

use self::error::IntentError;
use crate::builtin::{Builtin, builtin_token, double_puppet_id};

/// What every call of an intent returns.
pub type Result<T, E = IntentError> = std::result::Result<T, E>;

/// Someone on whose behalf a bundled bridge acts.
#[derive(Clone)]
pub struct Intent {
    /// The ports; requests go to `context.homeserver`.
    pub context: Rc<Context>,
    /// The `as_token` that the requests carry.
    pub token: String,
    /// The user; `None`: the bot that the token stands for.
    pub user: Option<OwnedUserId>,
}

impl Intent {
    /// The bot of a bundled bridge.
    pub fn bot(context: Rc<Context>, builtin: &Builtin) -> Self {
        let token = builtin_token(&context.config.secrets, &builtin.id);
        Self { context, token, user: None }
    }

    /// A ghost, or another user of the bridge's namespaces.
    pub fn ghost(context: Rc<Context>, builtin: &Builtin, user: OwnedUserId) -> Self {
        Self { user: Some(user), ..Self::bot(context, builtin) }
    }

    /// A human who holds a login of the bridge's network. The content must carry the bridge's own
    /// key, by which the bridge ignores what comes back.
    pub fn double_puppet(context: Rc<Context>, builtin: &Builtin, user: OwnedUserId) -> Self {
        let token = builtin_token(&context.config.secrets, &double_puppet_id(&builtin.id));
        Self { context, token, user: Some(user) }
    }

    /// The same registration on behalf of another user.
    #[must_use]
    pub fn as_user(&self, user: OwnedUserId) -> Self {
        Self { user: Some(user), ..self.clone() }
    }

    /// The user id that it acts as; asks the server (`whoami`) for the bot's.
    pub async fn user_id(&self) -> Result<OwnedUserId> {
        match &self.user {
            Some(user) => Ok(user.clone()),
            None => self.whoami().await,
        }
    }

    /// Sends a request of one of ruma's types.
    pub async fn send_request<R>(&self, request: R) -> Result<R::IncomingResponse>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: auth_scheme::AuthScheme<Input<'a> = auth_scheme::SendAccessToken<'a>>,
        for<'a> R::PathBuilder: path_builder::PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let identity = self.user.as_deref().map_or_else(AppserviceUserIdentity::default, AppserviceUserIdentity::new);
        let request = request
            .try_into_http_request_with_identity::<Vec<u8>>(
                &self.context.config.public_url,
                auth_scheme::SendAccessToken::Appservice(&self.token),
                identity,
                Cow::Owned(supported_versions()),
            )
            .map_err(IntentError::not_built)?;
        let response = self.answered(request).await?;
        let (parts, body) = response.into_parts();
        let response = http::Response::from_parts(parts, body.as_slice());
        R::IncomingResponse::try_from_http_response(response).map_err(IntentError::not_understood)
    }

    /// Sends a request that ruma has no type for. `path` is its segments after
    /// `/_matrix/client/`, unescaped, like `["v3", "createRoom"]`.
    pub async fn send_json(
        &self,
        method: http::Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Json>,
    ) -> Result<Json> {
        let uri = self.uri(path, query)?;
        let bytes = match body {
            Some(body) => serde_json::to_vec(body).map_err(IntentError::not_built)?,
            None => Vec::new(),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header(http::header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(bytes)
            .map_err(IntentError::not_built)?;
        let response = self.answered(request).await?;
        serde_json::from_slice(response.body()).map_err(IntentError::not_understood)
    }

    fn uri(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String> {
        let path: Vec<&str> = ["client"].into_iter().chain(path.iter().copied()).collect();
        self.uri_under(&path, query)
    }

    /// The address of a path whose segments stand after `/_matrix/`.
    pub(crate) fn uri_under(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String> {
        let mut url = url::Url::parse(&self.context.config.public_url).map_err(IntentError::not_built)?;
        url.path_segments_mut()
            .map_err(|()| IntentError::not_built("the public URL cannot be a base"))?
            .pop_if_empty()
            .extend(["_matrix"])
            .extend(path);
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        if let Some(user) = &self.user {
            pairs.append_pair("user_id", user.as_str());
        }
        let pairs = pairs.finish();
        url.set_query((!pairs.is_empty()).then_some(&pairs));
        Ok(url.into())
    }

    /// Sends a request and turns a refusal into an error.
    async fn answered(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>> {
        let response = self.context.homeserver.request(request).await;
        if response.status().as_u16() < 400 { Ok(response) } else { Err(IntentError::from_response(&response)) }
    }
}

/// Our server's own version: only paths of it are called.
fn supported_versions() -> SupportedVersions {
    SupportedVersions::from_parts(&["v1.11".to_owned()], &BTreeMap::new())
}
