//! Third-party networks: what registered appservices say of them
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#third-party-networks)).
//!
//! All that registered for a protocol are asked at once, for a few seconds at most, and their answers
//! are merged; one that does not answer is left out. What they say of a protocol itself is kept for
//! some minutes. A bundled bridge is described by the program and cannot be searched.

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::{StreamExt as _, stream};
use hubbub_core::context::{Context, Egress};
use hubbub_storage::{database::DatabaseError, directory::appservices};
use ruma::{
    OwnedRoomAliasId, OwnedUserId,
    api::{
        IncomingResponseExt as _, Metadata, OutgoingRequest, OutgoingRequestExt as _,
        appservice::{HomeserverToken, thirdparty as api},
        path_builder::SinglePath,
    },
    thirdparty::{Location, Protocol, ProtocolInit, ProtocolInstance, ProtocolInstanceInit, User},
};

use crate::{
    endpoint::{Endpoint, StoredRegistration},
    tokens,
};

/// How long an appservice may take to answer: somebody waits for it.
const TIMEOUT_MS: u32 = 5_000;
/// How long a description of a protocol is used, in milliseconds.
const CACHE_MS: i64 = 10 * 60 * 1_000;
/// After a failure an appservice is asked again so many milliseconds later.
const FAILED_MS: i64 = 60_000;
/// How many appservices are asked at once.
const AT_ONCE: usize = 6;
/// The most results of one appservice.
const MOST_RESULTS: usize = 100;

/// The descriptions that were fetched: by appservice and protocol, with the time of their end.
#[derive(Default)]
pub struct Descriptions(RefCell<BTreeMap<(String, String), Described>>);

/// One that was fetched; `None`: the appservice had none to give.
#[derive(Clone)]
struct Described {
    until: i64,
    protocol: Option<Protocol>,
}

/// An appservice that registered for some protocols.
struct Bridge {
    id: String,
    protocols: Vec<String>,
    endpoint: Endpoint,
}

/// All protocols, by their name. `bundled` are those of bundled bridges: (protocol, what people call it).
pub async fn protocols(
    context: &Context,
    known: &Descriptions,
    bundled: &[(String, String)],
) -> Result<BTreeMap<String, Protocol>, DatabaseError> {
    let bridges = bridges(context).await?;
    let asked = bridges.iter().flat_map(|bridge| bridge.protocols.iter().map(move |protocol| (bridge, protocol)));
    let answers: Vec<(String, Option<Protocol>)> = stream::iter(asked)
        .map(
            |(bridge, protocol)| async move { (protocol.clone(), description(context, known, bridge, protocol).await) },
        )
        // In the order of registration: whose fields are shown must not depend on who is faster.
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut merged: BTreeMap<String, Protocol> = BTreeMap::new();
    for (id, desc) in bundled {
        merged.insert(id.clone(), bundled_protocol(id, desc));
    }
    for (name, answer) in answers {
        let Some(answer) = answer else { continue };
        match merged.get_mut(&name) {
            Some(first) => first.instances.extend(answer.instances),
            None => {
                merged.insert(name, answer);
            }
        }
    }
    Ok(merged)
}

fn bundled_protocol(id: &str, desc: &str) -> Protocol {
    let mut instance = ProtocolInstance::from(ProtocolInstanceInit {
        desc: desc.to_owned(),
        fields: BTreeMap::new(),
        network_id: id.to_owned(),
    });
    instance.instance_id = Some(id.to_owned());
    Protocol::from(ProtocolInit {
        user_fields: Vec::new(),
        location_fields: Vec::new(),
        icon: String::new(),
        field_types: BTreeMap::new(),
        instances: vec![instance],
    })
}

async fn description(context: &Context, known: &Descriptions, bridge: &Bridge, protocol: &str) -> Option<Protocol> {
    let key = (bridge.id.clone(), protocol.to_owned());
    let now = context.clock.now();
    if let Some(kept) = known.0.borrow().get(&key)
        && kept.until > now
    {
        return kept.protocol.clone();
    }
    let answer = ask(context, bridge, api::get_protocol::v1::Request::new(protocol.to_owned())).await;
    let fetched = answer.map(|answer| {
        let mut protocol: Protocol = answer.protocol.into();
        for instance in &mut protocol.instances {
            // “A unique identifier for this instance on the homeserver.”
            instance.instance_id = Some(format!("{}|{}", bridge.id, instance.network_id));
        }
        protocol
    });
    let until = now + if fetched.is_some() { CACHE_MS } else { FAILED_MS };
    known.0.borrow_mut().insert(key, Described { until, protocol: fetched.clone() });
    fetched
}

/// The users of a protocol that these fields describe.
pub async fn users(
    context: &Context,
    protocol: &str,
    fields: BTreeMap<String, String>,
) -> Result<Vec<User>, DatabaseError> {
    let mut request = api::get_user_for_protocol::v1::Request::new(protocol.to_owned());
    request.fields = fields;
    gather(context, Some(protocol), request, |answer| answer.users).await
}

/// Whom a Matrix user id stands for.
pub async fn users_behind(context: &Context, user_id: OwnedUserId) -> Result<Vec<User>, DatabaseError> {
    gather(context, None, api::get_user_for_user_id::v1::Request::new(user_id), |answer| answer.users).await
}

/// The places of a protocol that these fields describe.
pub async fn locations(
    context: &Context,
    protocol: &str,
    fields: BTreeMap<String, String>,
) -> Result<Vec<Location>, DatabaseError> {
    let mut request = api::get_location_for_protocol::v1::Request::new(protocol.to_owned());
    request.fields = fields;
    gather(context, Some(protocol), request, |answer| answer.locations).await
}

/// What an alias stands for.
pub async fn locations_behind(context: &Context, alias: OwnedRoomAliasId) -> Result<Vec<Location>, DatabaseError> {
    gather(context, None, api::get_location_for_room_alias::v1::Request::new(alias), |answer| answer.locations).await
}

/// The answers of all that registered for a protocol (any protocol for `None`), one after the other.
async fn gather<R, T>(
    context: &Context,
    protocol: Option<&str>,
    request: R,
    results: impl Fn(R::IncomingResponse) -> Vec<T>,
) -> Result<Vec<T>, DatabaseError>
where
    R: OutgoingRequest + Metadata<Authentication = HomeserverToken, PathBuilder = SinglePath>,
{
    let bridges = bridges(context).await?;
    let concerned = bridges.iter().filter(|bridge| {
        protocol.is_none_or(|protocol| bridge.protocols.iter().any(|registered| registered == protocol))
    });
    let answers: Vec<Option<R::IncomingResponse>> =
        stream::iter(concerned).map(|bridge| ask(context, bridge, request.clone())).buffered(AT_ONCE).collect().await;
    Ok(answers.into_iter().flatten().flat_map(|answer| results(answer).into_iter().take(MOST_RESULTS)).collect())
}

/// Asks one appservice; `None`: it does not know, or did not answer with sense in time.
async fn ask<R>(context: &Context, bridge: &Bridge, request: R) -> Option<R::IncomingResponse>
where
    R: OutgoingRequest + Metadata<Authentication = HomeserverToken, PathBuilder = SinglePath>,
{
    let endpoint = &bridge.endpoint;
    let request = request.try_into_http_request::<Vec<u8>>(&endpoint.url, &endpoint.hs_token, ()).ok()?;
    let reason = match context.http.send(request, Egress::Stranger, TIMEOUT_MS).await {
        Ok(answer) if answer.status().is_success() => {
            match R::IncomingResponse::try_from_http_response(as_slice(&answer)) {
                Ok(answer) => return Some(answer),
                Err(_) => "its answer makes no sense".to_owned(),
            }
        }
        // “The third party was not found.”
        Ok(answer) if answer.status().as_u16() == 404 => return None,
        Ok(answer) => format!("it answered {}", answer.status().as_u16()),
        Err(error) => error.to_string(),
    };
    tracing::warn!(appservice.id = %bridge.id, "An appservice was asked about a third party in vain: {reason}");
    None
}

/// The appservices that have an address and registered for any protocol.
async fn bridges(context: &Context) -> Result<Vec<Bridge>, DatabaseError> {
    let rows = appservices::list(context.directory.as_ref()).await?;
    let bridges = rows.into_iter().filter_map(|row| {
        let stored: StoredRegistration = serde_json::from_str(&row.registration).ok()?;
        let url = stored.url.filter(|_| !stored.protocols.is_empty())?;
        let hs_token = tokens::decrypt(&context.config.secrets, &row.id, &row.hs_token_enc).ok()?;
        Some(Bridge {
            id: row.id,
            protocols: stored.protocols,
            endpoint: Endpoint { url, hs_token, unstable_ephemeral: stored.unstable_ephemeral },
        })
    });
    Ok(bridges.collect())
}

/// An answer whose body is borrowed, as ruma reads it.
fn as_slice(answer: &http::Response<Vec<u8>>) -> http::Response<&[u8]> {
    let mut borrowed = http::Response::new(answer.body().as_slice());
    *borrowed.status_mut() = answer.status();
    *borrowed.headers_mut() = answer.headers().clone();
    borrowed
}
