//! `GET /_matrix/client/*/sync` ([spec])
//!
//! What is new for the user. The request is one command to the user's object, which checks the
//! session too; whoever called [`crate::handle`] waits, where there is nothing new.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3sync

use std::borrow::Cow;

use hubbub_core::{
    contract::user::{StateAfter, SyncRequest},
    error::{MatrixError, Result},
};

use crate::{
    answer::{Outcome, SyncCall},
    call::Call,
    credentials::Claim,
};

/// How long a poll waits at most.
const MAX_TIMEOUT_MS: u32 = 60_000;

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let since = call.query("since").map(Cow::into_owned);
    let full_state = match call.query("full_state").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(MatrixError::invalid_param("full_state is true or false."));
        }
    };
    let set_presence = call.query("set_presence").map(Cow::into_owned);
    if set_presence.as_ref().is_some_and(|presence| !["online", "unavailable", "offline"].contains(&&**presence)) {
        return Err(MatrixError::invalid_param("set_presence is online, unavailable or offline."));
    }
    // Stable since v1.16 ([MSC4222](https://github.com/matrix-org/matrix-spec-proposals/pull/4222)).
    let state_after = ["use_state_after", "org.matrix.msc4222.use_state_after"]
        .into_iter()
        .find_map(|name| call.query(name).map(|value| (name, value)));
    let state_after = match state_after {
        None => StateAfter::No,
        Some((_, value)) if value == "false" => StateAfter::No,
        Some((name, value)) if value == "true" => {
            if name == "use_state_after" {
                StateAfter::Stable
            } else {
                StateAfter::Unstable
            }
        }
        Some((name, _)) => return Err(MatrixError::invalid_param(format_args!("{name} is true or false."))),
    };
    let timeout: u64 = call.query_as("timeout")?.unwrap_or(0);
    // An initial sync and one that asks for everything have something to say at once.
    let timeout_ms = if since.is_none() || full_state {
        0
    } else {
        u32::try_from(timeout).map_or(MAX_TIMEOUT_MS, |timeout| timeout.min(MAX_TIMEOUT_MS))
    };
    Ok(Outcome::Sync(SyncCall {
        address: call.auth.address(),
        request: SyncRequest {
            caller: call.auth.caller.clone(),
            since,
            filter: call.query("filter").map(Cow::into_owned),
            full_state,
            set_presence,
            state_after,
        },
        timeout_ms,
    }))
}
