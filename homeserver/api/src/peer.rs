//! Who asks: the address of the client, and the limits that hold for it before any login.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_appservice::registry::Registry;
use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};

use ruma::UserId;

use crate::bridge_routes::{BridgeRoutes, NoBridges};

/// What the platform and the other crates offer to every request; made once.
pub struct Front {
    /// The platform's rate limiter.
    pub limiter: Rc<dyn RateLimiter>,
    /// The bridges' own pages and webhooks.
    pub bridges: Rc<dyn BridgeRoutes>,
    /// The registry behind `context.appservices`, for the operator to change.
    pub registry: Rc<Registry>,
}

impl Front {
    /// A front without limits and without bridges.
    pub fn new(registry: Rc<Registry>) -> Self {
        Self { limiter: Rc::new(Unlimited), bridges: Rc::new(NoBridges), registry }
    }
}

/// The client at the other end.
#[derive(Clone)]
pub struct Peer {
    /// Its address, as the platform saw it.
    pub address: String,
    /// What it meets.
    pub front: Rc<Front>,
}

impl Peer {
    /// Counts one attempt of this address; 429 `M_LIMIT_EXCEEDED` after too many. Does nothing
    /// when the configuration turns rate limits off.
    pub(crate) async fn limit(&self, context: &Context, limit: RateLimit) -> Result<()> {
        self.limit_by(context, limit, &self.address, "Too many attempts from your address; wait a minute.").await
    }

    /// Counts one request of a user likewise.
    pub(crate) async fn limit_user(&self, context: &Context, limit: RateLimit, user_id: &UserId) -> Result<()> {
        self.limit_by(context, limit, user_id.as_str(), "You ask for too many of these; wait a minute.").await
    }

    async fn limit_by(&self, context: &Context, limit: RateLimit, whose: &str, error: &str) -> Result<()> {
        if !context.config.rate_limits || self.front.limiter.allow(limit, whose).await {
            return Ok(());
        }
        Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", error).with("retry_after_ms", 60_000))
    }
}

/// What is limited by address, or by user where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateLimit {
    /// Logins with a password, and secrets typed into own pages.
    Login,
    /// Registrations.
    Registration,
    /// What strangers may look up: profiles, aliases, the room directory.
    Lookup,
    /// Previews of pages, by user instead of address.
    Preview,
}

/// The platform's rate limiter by address. It stands before every object, so that a flood wakes
/// none.
pub trait RateLimiter {
    /// Whether one more attempt of this address (or user) is fine.
    fn allow<'a>(&'a self, limit: RateLimit, address: &'a str) -> LocalBoxFuture<'a, bool>;
}

/// Allows everything.
pub struct Unlimited;

impl RateLimiter for Unlimited {
    fn allow<'a>(&'a self, _: RateLimit, _: &'a str) -> LocalBoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }
}
