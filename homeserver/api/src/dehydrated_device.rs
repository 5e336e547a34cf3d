//! Dehydrated devices ([MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)): a
//! device that receives while no real one can, and is taken over by the next one that logs in.

mod delete_dehydrated_device;
mod get_dehydrated_device;
mod get_events;
mod put_dehydrated_device;

use http::Method;

use crate::endpoint::{Endpoint, own};

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
const EVENTS: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events";

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        own(Method::PUT, PATH).raw(put_dehydrated_device::handle),
        own(Method::GET, PATH).raw(get_dehydrated_device::handle),
        own(Method::DELETE, PATH).raw(delete_dehydrated_device::handle),
        own(Method::GET, EVENTS).raw(get_events::get),
        own(Method::POST, EVENTS).raw(get_events::post),
    ]
}
