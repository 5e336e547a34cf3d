//! Devices ([spec](https://spec.matrix.org/v1.11/client-server-api/#device-management)).

mod delete_device;
mod delete_devices;
mod get_device;
mod get_devices;
mod update_device;

use hubbub_core::contract::account;
use ruma::{MilliSecondsSinceUnixEpoch, UInt, api::client::device::Device};

use crate::endpoint::{Endpoint, of, typed_sparse};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed_sparse(get_devices::handle),
        typed_sparse(get_device::handle),
        of::<ruma::api::client::device::update_device::v3::Request>().raw(update_device::handle),
        of::<ruma::api::client::device::delete_device::v3::Request>().raw(delete_device::handle),
        of::<ruma::api::client::device::delete_devices::v3::Request>().raw(delete_devices::handle),
    ]
}

/// A device as the client gets it.
fn shown(device: account::Device) -> Device {
    let mut shown = Device::new(device.device_id.into());
    shown.display_name = device.display_name;
    shown.last_seen_ip = device.last_seen_ip;
    shown.last_seen_ts = device.last_seen_ts.and_then(timestamp);
    shown
}

/// Milliseconds since the epoch as ruma has them.
pub(crate) fn timestamp(milliseconds: i64) -> Option<MilliSecondsSinceUnixEpoch> {
    UInt::try_from(milliseconds).ok().map(MilliSecondsSinceUnixEpoch)
}
