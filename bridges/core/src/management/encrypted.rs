//! A ghost in an encrypted room. The bridge could read nothing there, and portals are plain: the chat gets its own
//! portal, and the ghost says so in the room, then leaves it.

use hubbub_core::{context::Context, error::Result};
use ruma::{RoomId, UserId};

use super::{ChatInvite, reply::Reply};
use crate::matrix::{Matrix, is_final};

/// Whether a room is encrypted, as the holder of a login sees it who is in it.
pub(super) async fn is_encrypted(context: &Context, matrix: &Matrix, owner: &UserId, room: &RoomId) -> Result<bool> {
    let puppet = matrix.owner(owner);
    let mut found = puppet.get_state(room, "m.room.encryption", "").await;
    if found.as_ref().is_err_and(|error| matches!(error.status, 401 | 403)) {
        // This isolate may not know yet that the user holds a login.
        context.appservices.forget();
        found = puppet.get_state(room, "m.room.encryption", "").await;
    }
    match found {
        Ok(found) => Ok(found.is_some()),
        // They left meanwhile.
        Err(error) if is_final(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The ghost comes in, says where the chat is and why not here, and leaves. Once an invitation.
pub(super) async fn explain(
    matrix: &Matrix,
    room: &RoomId,
    invite: &ChatInvite<'_>,
    title: &str,
    outcome: &str,
) -> Result<()> {
    let ghost = matrix.ghost(invite.ghost);
    let text = format!(
        "This room is encrypted, so what is said here cannot be brought to {title}: the bridge does not hold your \
         keys. I leave. {outcome}"
    );
    let content = Reply::text(&text).content();
    let transaction = format!("encrypted-{}", invite.event_id);
    let said = async {
        ghost.join(room.into()).await?;
        ghost.send(room, "m.room.message", &transaction, &content, None).await
    };
    match said.await {
        // The invitation was withdrawn, or this was said before.
        Err(error) if is_final(&error) => tracing::info!("A ghost could not explain itself: {error}"),
        outcome => drop(outcome?),
    }
    if let Err(error) = ghost.leave(room).await {
        tracing::info!("A ghost could not leave an encrypted room: {error}");
    }
    Ok(())
}
