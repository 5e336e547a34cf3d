//! `GET /.well-known/matrix/client` ([spec])
//!
//! Where clients find the server whose name they know, and that Element may encrypt new private
//! rooms ([settings]). It cannot be told to leave bridged ones out: those refuse by themselves.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#getwell-knownmatrixclient
//! [settings]: https://github.com/element-hq/element-web/blob/develop/docs/e2ee.md

use hubbub_core::error::Result;
use ruma::api::client::discovery::discover_homeserver::HomeserverInfo;
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Public, respond};

#[derive(Serialize)]
struct Body {
    #[serde(rename = "m.homeserver")]
    homeserver: HomeserverInfo,
    #[serde(rename = "io.element.e2ee")]
    encryption: Encryption,
}

/// Whether Element encrypts new private rooms unless it is told otherwise.
#[derive(Serialize)]
struct Encryption {
    default: bool,
}

pub(crate) async fn handle(call: Call<Public>) -> Result<Outcome> {
    let homeserver = HomeserverInfo::new(call.context.config.public_url.clone());
    respond::json(&Body { homeserver, encryption: Encryption { default: true } })
}
