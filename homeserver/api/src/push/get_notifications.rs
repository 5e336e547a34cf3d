//! `GET /_matrix/client/*/notifications` ([spec])
//!
//! The events that notified the user, the newest first, as far as the inbox keeps them: of each
//! joined room the newest events.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3notifications

use hubbub_core::{
    contract::{
        notifications::{GetNotifications, NotificationPage, PastNotification},
        user::UserCommand,
    },
    error::{MatrixError, Result},
};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::push::get_notifications::v3::{self, Notification},
    assign,
    push::{Action, HighlightTweakValue, Tweak},
    serde::Raw,
};

use crate::{call::Call, credentials::Claim, objects};

/// How many notifications a page has when the request does not say.
const DEFAULT_LIMIT: u32 = 50;

pub(crate) async fn handle(call: Call<Claim>, request: v3::Request) -> Result<v3::Response> {
    let limit = request.limit.map_or(DEFAULT_LIMIT, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let command = UserCommand::Notifications(GetNotifications {
        caller: call.auth.caller.clone(),
        from: request.from,
        limit,
        // What else `only` may say is left to clients: it limits nothing.
        highlights_only: request.only.as_deref() == Some("highlight"),
    });
    let page: NotificationPage = objects::call_again(&*call.context.objects, call.auth.address(), &command).await?;
    let notifications = page.notifications.into_iter().map(notification).collect::<Result<_>>()?;
    Ok(assign!(v3::Response::new(notifications), { next_token: page.next_token }))
}

fn notification(past: PastNotification) -> Result<Notification> {
    let mut actions = vec![Action::Notify];
    if past.highlight {
        actions.push(Action::SetTweak(Tweak::Highlight(HighlightTweakValue::Yes)));
    }
    let ts = UInt::try_from(past.ts).map_err(MatrixError::internal)?;
    let event = Raw::from_json(past.event);
    Ok(Notification::new(actions, event, past.read, past.room_id, MilliSecondsSinceUnixEpoch(ts)))
}
