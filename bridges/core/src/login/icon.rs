//! The workspace's picture, as the avatar of its space.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::{database::transaction, login::emoji as store};
use ruma::{OwnedMxcUri, OwnedRoomId};
use serde_json::{Value as Json, json};

use super::{LoginObject, pictures::NoPicture};

/// How long copying the picture may take, in milliseconds.
const TIMEOUT_MS: u32 = 10_000;

impl LoginObject {
    /// Gives the space the picture that the workspace has now, unless its owner chose one. What fails is made up for
    /// the next day.
    pub(super) async fn refresh_icon(&self) {
        if let Err(error) = self.try_refresh_icon().await {
            tracing::info!(login.id = %self.login_id, "A space goes without its picture: {error}");
        }
    }

    async fn try_refresh_icon(&self) -> Result<()> {
        let Some(space) = self.row()?.space_id else { return Ok(()) };
        let space = OwnedRoomId::try_from(space).map_err(MatrixError::internal)?;
        let url = self.network.space_picture(&self.token()?).await.map_err(|error| self.remote_failed(&error))?;
        // One that was taken away stays: there is nothing better to show.
        let Some(url) = url else { return Ok(()) };
        let given = store::icon(self.database.as_query())?;
        if given.as_ref().is_some_and(|(given, _)| *given == url) {
            return Ok(());
        }
        let bot = self.matrix.bot();
        let shown = bot.get_state(&space, "m.room.avatar", "").await?;
        let shown = shown.as_ref().and_then(|content| content.get("url")).and_then(Json::as_str);
        if shown.is_some_and(|shown| given.as_ref().is_none_or(|(_, given)| given != shown)) {
            return Ok(());
        }
        let copy: OwnedMxcUri = match self.copy_picture(&bot, &url, TIMEOUT_MS).await {
            Ok(copy) => copy,
            Err(NoPicture::Later(reason) | NoPicture::Never(reason)) => {
                return Err(MatrixError::new(502, "M_UNKNOWN", reason));
            }
        };
        bot.send_state(&space, "m.room.avatar", "", &json!({ "url": copy }), None).await?;
        transaction(self.database.as_ref(), |transaction| {
            Ok::<_, MatrixError>(store::put_icon(transaction, &url, copy.as_str())?)
        })
    }
}
