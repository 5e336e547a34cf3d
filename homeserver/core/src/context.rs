//! The ports through which the core reaches the world, and the server's configuration.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_storage::{
    blobs::{Blobs, Body},
    database::DatabaseError,
    directory::Directory,
};
use ruma::{OwnedServerName, RoomVersionId};

use crate::{contract::Address, secrets::Secrets};

/// The time.
pub trait Clock {
    /// Milliseconds since the epoch. On Workers it stands still between I/O: never order by it.
    fn now(&self) -> i64;

    /// Lets time pass. Only for what answers requests from outside: an object never waits. A clock
    /// that cannot wait returns at once, so callers count their rounds.
    fn sleep(&self, _milliseconds: u32) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Randomness fit for secrets.
pub trait Random {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// Calls to other objects.
pub trait Objects {
    /// Sends an encoded command ([`crate::contract::encode_command`]) and returns the encoded
    /// reply. An error means that the outcome is unknown: the caller repeats the command, which is
    /// idempotent.
    fn call(&self, address: Address, command: Vec<u8>) -> LocalBoxFuture<'_, Result<Vec<u8>, CallError>>;
}

/// A call to an object whose outcome is unknown.
#[derive(Clone, Debug, thiserror::Error)]
#[error("object call failed: {0}")]
pub struct CallError(pub String);

/// Whom an outgoing HTTP request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// A host that the operator configured (Slack's API).
    Configured,
    /// A host that a stranger named (a third-party appservice, a push gateway): public addresses
    /// only, redirects are not followed.
    Stranger,
}

/// Outgoing HTTP. Every call is limited to `timeout_ms` and counted.
pub trait Http {
    /// Sends a request and reads the whole answer, at most 8 MiB of it.
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        egress: Egress,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Vec<u8>>, HttpError>>;

    /// Sends a request and returns the answer while its body still streams; `timeout_ms` is for all of it. Redirects
    /// are not followed. A platform without streams holds both bodies in memory.
    fn stream(
        &self,
        request: http::Request<Body>,
        egress: Egress,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.read(u64::MAX).await.map_err(|error| HttpError::NotSent(error.to_string()))?;
            let answer = self.send(http::Request::from_parts(parts, body), egress, timeout_ms).await?;
            Ok(answer.map(Body::Bytes))
        })
    }

    /// Text in an encoding other than those of [`crate::media::charset`]; `None` when the platform
    /// does not know the label either. Malformed bytes become replacement characters.
    fn decode(&self, _label: &str, _bytes: &[u8]) -> Option<String> {
        None
    }
}

/// Why no answer came. The text never holds headers, bodies or query strings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Nothing was sent: the remote cannot have acted.
    #[error("the request was not sent: {0}")]
    NotSent(String),
    /// The request may have been carried out: the outcome is unknown.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

/// Our own client-server API, called in process by the bundled bridges: a request with an
/// appservice's token goes through the same router and checks as one from the network.
pub trait Homeserver {
    /// Answers a request as the HTTP front would.
    fn request(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>>;

    /// The same with bodies that stream: a file up or down.
    fn stream(&self, request: http::Request<Body>) -> LocalBoxFuture<'_, http::Response<Body>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match body.read(u64::MAX).await {
                Ok(body) => self.request(http::Request::from_parts(parts, body)).await.map(Body::Bytes),
                Err(_) => {
                    let mut response = http::Response::new(Body::default());
                    *response.status_mut() = http::StatusCode::BAD_REQUEST;
                    response
                }
            }
        })
    }
}

/// A place where a test stops, delays or kills the process; does nothing in production.
pub trait Failpoints {
    /// Passes the failpoint `name`, after a commit and before an `await`.
    fn pass(&self, name: &'static str) -> LocalBoxFuture<'_, ()>;
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody but through an owner link.
    Closed,
    /// Whoever has the registration token.
    Token,
    /// Everybody.
    Open,
}

/// Whom `/.well-known/matrix/support` names; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Support {
    /// The operator's email address.
    pub email: Option<String>,
    /// The operator's Matrix id.
    pub matrix_id: Option<ruma::OwnedUserId>,
    /// A page with help.
    pub page: Option<String>,
}

/// The server's configuration, fixed while it runs.
pub struct Config {
    /// The name in user ids; fixed at first start.
    pub server_name: OwnedServerName,
    /// The base URL under which clients reach us, without a trailing slash.
    pub public_url: String,
    /// Who may make an account.
    pub registration: Registration,
    /// The token of [`Registration::Token`].
    pub registration_token: Option<String>,
    /// The room version of rooms whose creator named none.
    pub default_room_version: RoomVersionId,
    /// Whether rate limits are enforced.
    pub rate_limits: bool,
    /// The largest file that may be uploaded, in bytes.
    pub max_upload_bytes: u64,
    /// Whom to ask for help.
    pub support: Support,
    /// Whether push gateways may be called without TLS, for tests on one machine.
    pub insecure_gateways: bool,
    /// The base URL of Slack's Web API, with a trailing slash.
    pub slack_api_url: String,
    /// The base URL of Discord's API, with its version.
    pub discord_api_url: String,
    /// The keys.
    pub secrets: Secrets,
}

/// Everything that an object may reach outside its own database.
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// The time.
    pub clock: Rc<dyn Clock>,
    /// Randomness.
    pub random: Rc<dyn Random>,
    /// Other objects.
    pub objects: Rc<dyn Objects>,
    /// D1.
    pub directory: Rc<dyn Directory>,
    /// The second D1, which holds the full-text index.
    pub search: Rc<dyn Directory>,
    /// R2.
    pub blobs: Rc<dyn Blobs>,
    /// Outgoing HTTP.
    pub http: Rc<dyn Http>,
    /// Our own API, in process.
    pub homeserver: Rc<dyn Homeserver>,
    /// Failpoints of the fault tests.
    pub failpoints: Rc<dyn Failpoints>,
    /// The registered appservices, read from D1 and kept for at most 60 s.
    pub appservices: Rc<dyn Appservices>,
}

impl Context {
    /// `N` random bytes.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// A random identifier of 24 URL-safe characters (144 bits).
    pub fn random_id(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.random_bytes::<18>())
    }
}

/// The registered appservices at some moment.
pub type AppserviceList = Rc<Vec<Rc<dyn Appservice>>>;

/// The registered appservices as rooms and the API need them.
pub trait Appservices {
    /// All registrations, at most 60 s old.
    fn list(&self) -> LocalBoxFuture<'_, Result<AppserviceList, DatabaseError>>;

    /// Forgets the cached list, after a registration changed.
    fn forget(&self);
}

/// One registered appservice
/// ([spec](https://spec.matrix.org/v1.11/application-service-api/#registration)).
pub trait Appservice {
    /// Its id.
    fn id(&self) -> &str;
    /// The user id of its bot (`sender_localpart`).
    fn bot(&self) -> &ruma::UserId;
    /// Whether it receives transactions (over HTTP or in process).
    fn receives(&self) -> bool;
    /// Whether it receives typing and receipts too.
    fn receives_ephemeral(&self) -> bool;
    /// Whether it receives device lists and key counts, and may act as a device of its users
    /// ([MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)).
    fn receives_device_lists(&self) -> bool {
        false
    }
    /// Whether it makes and deletes its users' devices without logging in
    /// ([MSC4190](https://github.com/matrix-org/matrix-spec-proposals/pull/4190)).
    fn manages_devices(&self) -> bool {
        false
    }
    /// Whether this token is its `as_token`; compared in constant time.
    fn owns_token(&self, token: &str) -> bool;
    /// Whether the user is its bot or lies in one of its `users` namespaces.
    fn is_interested_in_user(&self, user_id: &ruma::UserId) -> bool;
    /// Whether the alias lies in one of its `aliases` namespaces.
    fn is_interested_in_alias(&self, alias: &ruma::RoomAliasId) -> bool;
    /// Whether the room lies in one of its `rooms` namespaces.
    fn is_interested_in_room(&self, room_id: &ruma::RoomId) -> bool;
    /// Whether nobody else may use this user id.
    fn owns_user(&self, user_id: &ruma::UserId) -> bool;
    /// Whether nobody else may use this alias.
    fn owns_alias(&self, alias: &ruma::RoomAliasId) -> bool;
    /// Whether its users are subject to rate limits.
    fn rate_limited(&self) -> bool;
}
