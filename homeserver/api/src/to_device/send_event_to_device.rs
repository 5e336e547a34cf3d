//! `PUT /_matrix/client/*/sendToDevice/{eventType}/{txnId}` ([spec])
//!
//! Sends messages to devices, of any user. Whoever does not exist gets nothing, and the sender does
//! not learn it.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{
        to_device::{ForDevices, ToDeviceCommand},
        user::UserCommand,
    },
    error::{MatrixError, Result},
};
use ruma::{OwnedUserId, api::client::to_device::send_event_to_device::v3};
use serde_json::value::RawValue;

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    let server_name = &call.context.config.server_name;
    let mut messages: BTreeMap<OwnedUserId, ForDevices> = BTreeMap::new();
    for (user_id, devices) in request.messages {
        let mut contents = ForDevices::new();
        for (device, content) in devices {
            contents.insert(device.to_string(), checked(content.into_json())?);
        }
        if user_id.server_name() == server_name {
            messages.insert(user_id, contents);
        }
    }
    let command = UserCommand::ToDevice(Box::new(ToDeviceCommand::Send {
        caller: call.auth.caller.clone(),
        event_type: request.event_type.to_string(),
        transaction_id: request.txn_id.to_string(),
        messages,
    }));
    let () = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    Ok(v3::Response::new())
}

/// The content as it stands, checked to be an object: clients choke on anything else.
fn checked(content: Box<RawValue>) -> Result<Box<RawValue>> {
    if content.get().starts_with('{') {
        return Ok(content);
    }
    Err(MatrixError::bad_json("The content of a message must be a JSON object."))
}
