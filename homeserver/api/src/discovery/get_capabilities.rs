//! `GET /_matrix/client/*/capabilities` ([spec])
//!
//! What users of this server can do: which room versions there are, and what of their account they
//! can change.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3capabilities

use std::collections::BTreeMap;

use hubbub_core::error::Result;
use ruma::api::client::discovery::get_capabilities::v3::{
    self, Capabilities, ChangePasswordCapability, ProfileFieldsCapability, RoomVersionStability,
    RoomVersionsCapability, ThirdPartyIdChangesCapability,
};

use crate::{call::Call, credentials::Authenticated, room::SUPPORTED_VERSIONS};

pub(crate) async fn handle(call: Call<Authenticated>, _: v3::Request) -> Result<v3::Response> {
    let available: BTreeMap<_, _> =
        SUPPORTED_VERSIONS.into_iter().map(|version| (version, RoomVersionStability::Stable)).collect();
    let default = call.context.config.default_room_version.clone();
    let mut capabilities = Capabilities::new();
    capabilities.room_versions = RoomVersionsCapability::new(default, available);
    capabilities.change_password = ChangePasswordCapability::new(false);
    capabilities.thirdparty_id_changes = ThirdPartyIdChangesCapability::new(false);
    capabilities.profile_fields = Some(ProfileFieldsCapability::new(true));
    Ok(v3::Response::new(capabilities))
}
