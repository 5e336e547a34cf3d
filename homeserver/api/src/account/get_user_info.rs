//! `GET /_matrix/client/*/admin/whois/{userId}` ([spec])
//!
//! Where and when one's own devices were last seen. Nobody sees another user's.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3adminwhoisuserid

use hubbub_core::{
    contract::{
        account::{AccountCommand, Device},
        user::UserCommand,
    },
    error::Result,
};
use ruma::api::client::admin::get_user_info::v3::{self, ConnectionInfo, DeviceInfo, SessionInfo};

use crate::{call::Call, credentials::Claim, device::timestamp, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    call.auth.must_be(&request.user_id)?;
    let command = UserCommand::Account(AccountCommand::ListDevices { caller: call.auth.caller.clone() });
    let devices: Vec<Device> = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    let mut response = v3::Response::new();
    response.user_id = Some(request.user_id);
    response.devices = devices.into_iter().map(|device| (device.device_id.clone(), info(device))).collect();
    Ok(response)
}

fn info(device: Device) -> DeviceInfo {
    let mut connection = ConnectionInfo::new();
    connection.ip = device.last_seen_ip;
    connection.last_seen = device.last_seen_ts.and_then(timestamp);
    let mut session = SessionInfo::new();
    session.connections = vec![connection];
    let mut info = DeviceInfo::new();
    info.sessions = vec![session];
    info
}
