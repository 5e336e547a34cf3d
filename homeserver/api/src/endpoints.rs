//! Every endpoint of the server.
//!
//! Each area's module lists its own; [`operations`] is for the test that compares them with the
//! specification.

use crate::{
    account, admin, alias, appservice, backup, config, context, dehydrated_device, device, device_lists, directory,
    discovery, endpoint::Endpoint, filter, keys, knock, media, membership, message, pages, presence, profile, push,
    read_marker, receipt, redact, relations, reporting, room, search, session, space, state, sync, tag, thirdparty,
    to_device, typing, user_directory, voip,
};

/// All endpoints.
pub(crate) fn all() -> Vec<Endpoint> {
    [
        account::endpoints(),
        admin::endpoints(),
        alias::endpoints(),
        appservice::endpoints(),
        backup::endpoints(),
        config::endpoints(),
        context::endpoints(),
        dehydrated_device::endpoints(),
        device::endpoints(),
        device_lists::endpoints(),
        directory::endpoints(),
        discovery::endpoints(),
        filter::endpoints(),
        keys::endpoints(),
        knock::endpoints(),
        media::endpoints(),
        membership::endpoints(),
        message::endpoints(),
        pages::endpoints(),
        presence::endpoints(),
        profile::endpoints(),
        push::endpoints(),
        read_marker::endpoints(),
        receipt::endpoints(),
        redact::endpoints(),
        relations::endpoints(),
        reporting::endpoints(),
        room::endpoints(),
        search::endpoints(),
        session::endpoints(),
        space::endpoints(),
        state::endpoints(),
        sync::endpoints(),
        tag::endpoints(),
        thirdparty::endpoints(),
        to_device::endpoints(),
        typing::endpoints(),
        user_directory::endpoints(),
        voip::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Method and path (with `{variables}`) of everything of the Matrix specification that is served.
pub fn operations() -> Vec<(http::Method, &'static str)> {
    all()
        .into_iter()
        .filter(|endpoint| endpoint.in_spec)
        .flat_map(|endpoint| {
            let method = endpoint.method;
            endpoint.paths.into_iter().map(move |path| (method.clone(), path))
        })
        .collect()
}
