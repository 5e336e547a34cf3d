//! The Slack app that each owner makes from our manifest
//! ([docs](https://docs.slack.dev/reference/app-manifest)).
//!
//! Its own app, since Slack limits what a shared one may read; a **user** token, since that sees
//! and sends exactly what the person does; requests over HTTP, since they wake for free.

use serde_json::{Value as Json, json};

/// What the token may do: all that this bridge does or is going to do, so that nobody has to
/// install the app again.
const USER_SCOPES: &[&str] = &[
    "channels:history",
    "channels:read",
    "channels:write",
    "groups:history",
    "groups:read",
    "groups:write",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "mpim:write",
    "chat:write",
    "reactions:read",
    "reactions:write",
    "files:read",
    "files:write",
    "users:read",
    "users.profile:read",
    "emoji:read",
    "team:read",
    "usergroups:read",
    "pins:read",
];

/// What Slack tells us.
const USER_EVENTS: &[&str] = &[
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "channel_rename",
    "channel_archive",
    "channel_unarchive",
    "channel_deleted",
    "channel_left",
    "channel_id_changed",
    "group_rename",
    "group_archive",
    "group_unarchive",
    "group_deleted",
    "group_left",
    "im_created",
    "member_left_channel",
    "user_change",
    "emoji_changed",
    "tokens_revoked",
    "app_uninstalled",
];

/// How to make the app.
pub(crate) const INSTRUCTIONS: &str = "At https://api.slack.com/apps choose “Create New App”, “From \
    a manifest”, your workspace, and paste this. Then install the app to the workspace:";

/// The manifest of an app that calls us at `hook_url`.
pub(crate) fn manifest(hook_url: &str) -> Json {
    json!({
        "display_information": {
            "name": "Hubbub",
            "description": "Brings your Slack to your own Matrix server",
        },
        "oauth_config": { "scopes": { "user": USER_SCOPES } },
        "settings": {
            "event_subscriptions": { "request_url": hook_url, "user_events": USER_EVENTS },
            "org_deploy_enabled": false,
            "socket_mode_enabled": false,
            "token_rotation_enabled": false,
        },
    })
}
