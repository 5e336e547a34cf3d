//! Every endpoint of the server.
//!
//! Each area's module lists its own; [`operations`] is for the test that compares them with the
//! specification.

use crate::{
    account, admin, alias, appservice, config, context, discovery, endpoint::Endpoint, filter, membership, message,
    pages, profile, push, read_marker, receipt, redact, room, search, session, state, sync, typing, user_directory,
};

/// All endpoints.
pub(crate) fn all() -> Vec<Endpoint> {
    [
        account::endpoints(),
        admin::endpoints(),
        alias::endpoints(),
        appservice::endpoints(),
        config::endpoints(),
        context::endpoints(),
        discovery::endpoints(),
        filter::endpoints(),
        membership::endpoints(),
        message::endpoints(),
        pages::endpoints(),
        profile::endpoints(),
        push::endpoints(),
        read_marker::endpoints(),
        receipt::endpoints(),
        redact::endpoints(),
        room::endpoints(),
        search::endpoints(),
        session::endpoints(),
        state::endpoints(),
        sync::endpoints(),
        typing::endpoints(),
        user_directory::endpoints(),
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
