//! What an isolate makes once and keeps: the configuration and the ports.
//!
//! The Worker and all objects of an isolate share it. Bindings may be used by every request; stubs,
//! requests and responses belong to the request that made them and are never kept here. Nothing here
//! is awaited by two requests at once, either: the platform forbids one request to wake another.

use std::{cell::RefCell, rc::Rc};

use hubbub_api::{Front, RateLimiter, Unlimited};
use hubbub_appservice::registry::Registry;
use hubbub_bridge::matrix::builtin;
use hubbub_core::context::{Context, Failpoints};
use worker::Env;

use crate::{
    bridges::Bridges,
    configuration::{self, Misconfigured, Switches},
    lifeline, log,
    ports::{
        blobs::R2Blobs,
        clock::PlatformClock,
        directory::D1Directory,
        failpoints::{ArmedFailpoints, NoFailpoints},
        homeserver::InProcess,
        http::PlatformHttp,
        objects::PlatformObjects,
        random::PlatformRandom,
        rate_limiter::PlatformLimiter,
    },
};

/// Everything that requests share.
pub struct Isolate {
    /// The core's ports.
    pub context: Rc<Context>,
    /// The other objects, for calls that are no commands.
    pub objects: Rc<PlatformObjects>,
    /// What requests from outside meet.
    pub front: Rc<Front>,
    /// The bundled bridges.
    pub bridges: Rc<Bridges>,
    /// What only the platform's side needs to know.
    pub switches: Switches,
}

thread_local! {
    static ISOLATE: RefCell<Option<Rc<Isolate>>> = const { RefCell::new(None) };
}

/// This isolate's, made from the bindings at the first call. An error is logged and lasts as long as
/// the configuration does.
pub fn get(env: &Env) -> Result<Rc<Isolate>, Misconfigured> {
    if let Some(isolate) = ISOLATE.with_borrow(Clone::clone) {
        return Ok(isolate);
    }
    lifeline::prepare();
    log::start();
    let isolate = make(env).map(Rc::new).inspect_err(|error| tracing::error!("This server cannot run: {error}"))?;
    ISOLATE.set(Some(Rc::clone(&isolate)));
    Ok(isolate)
}

fn make(env: &Env) -> Result<Isolate, Misconfigured> {
    let (config, switches) = configuration::read(env)?;
    let missing = |error: worker::Error| Misconfigured(format!("a binding is missing: {error}"));
    let clock = Rc::new(PlatformClock);
    let directory = Rc::new(D1Directory::new(env, "DB").map_err(|error| Misconfigured(error.to_string()))?);
    let search = Rc::new(D1Directory::new(env, "SEARCH").map_err(|error| Misconfigured(error.to_string()))?);
    let blobs = Rc::new(R2Blobs::new(env, "MEDIA").map_err(|error| Misconfigured(error.to_string()))?);
    let objects = Rc::new(PlatformObjects::new(env, switches.location_hint.clone()).map_err(missing)?);
    let failpoints: Rc<dyn Failpoints> =
        if switches.failpoints { Rc::new(ArmedFailpoints) } else { Rc::new(NoFailpoints) };
    let limiter: Rc<dyn RateLimiter> = match env.rate_limiter("LOGIN_LIMIT") {
        Ok(limiter) => Rc::new(PlatformLimiter(limiter)),
        Err(error) => {
            tracing::warn!("There is no rate limiter by address: {error}");
            Rc::new(Unlimited)
        }
    };
    let registry = Registry::new(
        &config,
        directory.clone(),
        clock.clone(),
        [&hubbub_slack::FACTS, &hubbub_discord::FACTS].map(|facts| builtin(facts, &config.server_name)).into(),
    )
    .map_err(|error| Misconfigured(error.to_string()))?;
    let registry = Rc::new(registry);
    let inside = Rc::new(Front::new(Rc::clone(&registry)));
    let context = Rc::new_cyclic(|context| Context {
        clock,
        random: Rc::new(PlatformRandom),
        objects: objects.clone(),
        directory,
        search,
        blobs,
        http: Rc::new(PlatformHttp::new(env, switches.private_addresses)),
        homeserver: Rc::new(InProcess { context: context.clone(), front: inside }),
        failpoints,
        appservices: registry.clone(),
        config,
    });
    let bridges = Rc::new(Bridges::new(&context));
    let front = Rc::new(Front { limiter, bridges: bridges.clone(), registry });
    Ok(Isolate { context, objects, front, bridges, switches })
}
