//! Slack's error codes: which are about the token, which are for ever, and what they mean.

use hubbub_bridge::network::RemoteError;

/// Codes that mean that the token does not work any more.
const TOKEN: &[&str] = &[
    "invalid_auth",
    "not_authed",
    "token_revoked",
    "token_expired",
    "account_inactive",
    "org_login_required",
    "team_access_not_granted",
];

/// Codes with which Slack says that it failed and may have done it nevertheless.
const UNKNOWN: &[&str] = &["internal_error", "fatal_error", "request_timeout"];

/// Codes with which Slack says that it did nothing for now.
const NOT_NOW: &[&str] = &["service_unavailable", "team_added_to_org", "accesslimited"];

/// What a code in an answer means.
pub(crate) fn classify(code: &str) -> RemoteError {
    if TOKEN.contains(&code) {
        RemoteError::BadCredentials(code.to_owned())
    } else if UNKNOWN.contains(&code) {
        RemoteError::Unknown(format!("Slack failed ({code})"))
    } else if NOT_NOW.contains(&code) {
        RemoteError::NotDone(format!("Slack is not available ({code})"))
    } else {
        RemoteError::Refused(code.to_owned())
    }
}

/// What a code means for the person who wrote the message.
pub(crate) fn explain(code: &str) -> String {
    let sentence = match code {
        "not_in_channel" => "you are not in this channel any more.",
        "channel_not_found" => "the channel does not exist any more, or you may not see it.",
        "is_archived" => "the channel is archived.",
        "msg_too_long" | "msg_blocks_too_long" => "it is too long.",
        "no_text" => "there is nothing in it that Slack could show.",
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "restricted_action_non_threadable_channel" => "the workspace does not let you write in this channel.",
        "restricted_action_thread_locked" => "the thread is locked.",
        "missing_scope" | "no_permission" | "not_allowed_token_type" => {
            "the app may not do this. Make it again from the manifest of a new `connect`."
        }
        "ekm_access_denied" => "your organisation's administrators have suspended writing.",
        "user_is_restricted" | "user_is_ultra_restricted" => "guests may not do this.",
        "cannot_reply_to_message" | "thread_not_found" => "there is no such thread.",
        "edit_window_closed" => "the workspace lets nobody edit so old a message.",
        "cant_update_message" => "only its author may edit it there.",
        "cant_delete_message" | "compliance_exports_prevent_deletion" => "the workspace does not let you delete it.",
        "message_not_found" => "the message is not there any more.",
        "file_not_found" => "the file is not there any more.",
        "invalid_name" => "there is no such emoji in the workspace.",
        "too_many_emoji" | "too_many_reactions" => "there are too many reactions already.",
        "not_reactable" => "nobody may react to it.",
        "message_limit_exceeded" => "the workspace has used up its messages.",
        "invalid_blocks" | "invalid_blocks_format" | "invalid_arguments" => {
            "Slack does not understand how it is written."
        }
        other => return format!("its answer was `{other}`."),
    };
    sentence.to_owned()
}
