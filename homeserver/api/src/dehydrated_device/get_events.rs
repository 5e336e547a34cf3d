//! `GET` and `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events` ([MSC])
//!
//! What waits for the user's dehydrated device, page by page. Clients use both versions of the proposal: in
//! the older one, `POST`, a token deletes what it passed and each page has one; in `GET` the last page has
//! none, and what it showed goes with the device.
//!
//! [MSC]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use hubbub_core::{
    contract::{
        to_device::{DehydratedEvents, ToDeviceCommand},
        user::UserCommand,
    },
    error::Result,
};
use serde::Deserialize;
use serde_json::json;

use crate::{answer::Outcome, call::Call, credentials::Claim, objects, respond};

#[derive(Deserialize)]
struct Body {
    next_batch: Option<String>,
}

pub(crate) async fn get(call: Call<Claim>) -> Result<Outcome> {
    let from = call.query("from").map(|from| from.into_owned());
    let limit = call.query_as("limit")?;
    let page = ask(&call, from, limit, false).await?;
    if page.more {
        return respond::json(&json!({ "events": page.events, "next_batch": page.next_batch }));
    }
    respond::json(&json!({ "events": page.events }))
}

pub(crate) async fn post(call: Call<Claim>) -> Result<Outcome> {
    let body: Body = call.parse()?;
    let page = ask(&call, body.next_batch, None, true).await?;
    respond::json(&json!({ "events": page.events, "next_batch": page.next_batch }))
}

async fn ask(
    call: &Call<Claim>,
    from: Option<String>,
    limit: Option<usize>,
    delete_passed: bool,
) -> Result<DehydratedEvents> {
    let command = ToDeviceCommand::ListDehydrated {
        caller: call.auth.caller.clone(),
        device_id: call.argument(0).to_owned(),
        from,
        limit,
        delete_passed,
    };
    let command = UserCommand::ToDevice(Box::new(command));
    objects::call_again(&*call.context.objects, call.auth.address(), &command).await
}
