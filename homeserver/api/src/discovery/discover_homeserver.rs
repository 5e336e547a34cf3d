//! `GET /.well-known/matrix/client` ([spec])
//!
//! Where clients find the server whose name they know, and whether they should encrypt new private rooms without being
//! asked to ([`io.element.e2ee`](https://github.com/element-hq/element-web/blob/develop/docs/e2ee.md)).
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#getwell-knownmatrixclient

use hubbub_core::error::Result;
use ruma::api::client::discovery::discover_homeserver::HomeserverInfo;
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Public, respond};

/// Whether Element encrypts new private rooms by default: not while the server keeps no keys.
const ENCRYPTS_BY_DEFAULT: bool = false;

#[derive(Serialize)]
struct Body {
    #[serde(rename = "m.homeserver")]
    homeserver: HomeserverInfo,
    #[serde(rename = "io.element.e2ee")]
    encryption: Encryption,
}

#[derive(Serialize)]
struct Encryption {
    default: bool,
}

pub(crate) async fn handle(call: Call<Public>) -> Result<Outcome> {
    respond::json(&Body {
        homeserver: HomeserverInfo::new(call.context.config.public_url.clone()),
        encryption: Encryption { default: ENCRYPTS_BY_DEFAULT },
    })
}
