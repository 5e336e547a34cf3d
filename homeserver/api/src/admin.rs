//! The operator's endpoints, under `/_hubbub/admin/v1/` with the admin token; `cargo xtask` calls
//! them.

mod appservices;
mod bridges;
mod media;
mod owner_link;
mod rebuild_room;
mod rebuild_search;
mod reports;

use http::Method;

use crate::endpoint::{Endpoint, own};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        own(Method::POST, "/_hubbub/admin/v1/owner-link").raw(owner_link::handle),
        own(Method::POST, "/_hubbub/admin/v1/rebuild-room").raw(rebuild_room::handle),
        own(Method::POST, "/_hubbub/admin/v1/rebuild-search").raw(rebuild_search::handle),
        own(Method::DELETE, "/_hubbub/admin/v1/media/{media_id}").raw(media::delete),
        own(Method::POST, "/_hubbub/admin/v1/delete-media").raw(media::delete_many),
        own(Method::GET, "/_hubbub/admin/v1/reports").raw(reports::list),
        own(Method::DELETE, "/_hubbub/admin/v1/reports/{report_id}").raw(reports::delete),
        own(Method::GET, "/_hubbub/admin/v1/appservices").raw(appservices::list),
        own(Method::POST, "/_hubbub/admin/v1/appservices").raw(appservices::register),
        own(Method::DELETE, "/_hubbub/admin/v1/appservices/{appservice_id}").raw(appservices::unregister),
    ];
    endpoints.extend(bridges::endpoints());
    endpoints
}
