//! `GET /_matrix/client/*/capabilities` ([spec])
//!
//! What users of this server can do: which room versions there are, and what of their account they
//! can change.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3capabilities

use std::collections::BTreeMap;

use hubbub_core::error::Result;
use ruma::api::client::discovery::get_capabilities::v3::{
    Capabilities, GetLoginTokenCapability, ProfileFieldsCapability, RoomVersionStability, RoomVersionsCapability,
    ThirdPartyIdChangesCapability,
};

use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Authenticated, respond, room::SUPPORTED_VERSIONS};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let available: BTreeMap<_, _> =
        SUPPORTED_VERSIONS.into_iter().map(|version| (version, RoomVersionStability::Stable)).collect();
    let default = call.context.config.default_room_version.clone();
    let mut capabilities = Capabilities::new();
    capabilities.room_versions = RoomVersionsCapability::new(default, available);
    capabilities.thirdparty_id_changes = ThirdPartyIdChangesCapability::new(false);
    capabilities.profile_fields = Some(ProfileFieldsCapability::new(true));
    capabilities.get_login_token = GetLoginTokenCapability::new(true);
    let mut capabilities = serde_json::to_value(&capabilities)?;
    if let Some(capabilities) = capabilities.as_object_mut() {
        // ruma leaves it out where it has its default, and clients look for it.
        capabilities.insert("m.change_password".to_owned(), json!({"enabled": true}));
    }
    respond::json(&json!({ "capabilities": capabilities }))
}
