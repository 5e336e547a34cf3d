//! Pictures of people: copied into this server's media and shown as their ghosts' avatars.
//!
//! A picture never delays a message but the first of its ghost, and that only a little: what could not be copied at once
//! is owed, in a table of its own, and copied by the login's upkeep.

use http::{Method, Request, header::CONTENT_TYPE};
use hubbub_appservice::intent::{Intent, error::IntentError};
use hubbub_core::{
    context::Egress,
    error::{MatrixError, Result},
};
use hubbub_storage::{
    database::transaction,
    login::ghosts::{self, GhostRow},
};
use ruma::{OwnedMxcUri, UserId};

use super::LoginObject;
use crate::matrix::is_final;

/// How long fetching a picture may take when nobody waits, in milliseconds.
const TIMEOUT_MS: u32 = 20_000;

/// The most bytes of a picture: clients show it small.
const MOST_BYTES: usize = 2_000_000;

/// How often an owed picture is tried: after that the next look at the network brings it up again.
const MOST_TRIES: u32 = 5;

/// A picture that a ghost has yet to get.
#[derive(Clone, Debug)]
pub(super) struct OwedPicture {
    remote_user: String,
    url: String,
    tries: u32,
}

/// Why a ghost did not get its picture.
pub(super) enum NoPicture {
    /// It never will.
    Never(String),
    /// It may later.
    Later(String),
}

impl LoginObject {
    /// Reads which pictures are owed, when the object wakes.
    pub(super) fn load_pictures(&self) -> Result<()> {
        let owed = ghosts::list_pictures(self.database.as_query())?;
        let owed = owed.into_iter().map(|(remote_user, url)| OwedPicture { remote_user, url, tries: 0 });
        self.pictures.borrow_mut().extend(owed);
        Ok(())
    }

    /// Notes a picture whose row was written.
    pub(super) fn owe_picture(&self, ghost: &GhostRow) {
        if let Some(url) = ghost.picture.clone() {
            let owed = OwedPicture { remote_user: ghost.remote_user.clone(), url, tries: 0 };
            self.pictures.borrow_mut().push_back(owed);
        }
    }

    pub(super) fn owes_pictures(&self) -> bool {
        !self.pictures.borrow().is_empty()
    }

    /// Copies one picture that is owed.
    pub(super) async fn pay_picture(&self) -> Result<()> {
        let Some(mut owed) = self.pictures.borrow_mut().pop_front() else {
            return Ok(());
        };
        let ghost = ghosts::find(self.database.as_query(), &owed.remote_user)?;
        // A newer picture may be owed meanwhile.
        let wanted = ghost.filter(|ghost| ghost.picture.as_ref() == Some(&owed.url));
        let outcome = match &wanted {
            Some(ghost) => {
                let user_id = UserId::parse(&ghost.user_id).map_err(MatrixError::internal)?;
                self.take_picture(&user_id, &owed.url, TIMEOUT_MS).await
            }
            None => Ok(()),
        };
        owed.tries = owed.tries.saturating_add(1);
        let given_up = match outcome {
            Ok(()) => false,
            Err(NoPicture::Later(reason)) if owed.tries < MOST_TRIES => {
                self.pictures.borrow_mut().push_back(owed);
                return Err(MatrixError::new(502, "M_UNKNOWN", format!("A picture is tried again: {reason}")));
            }
            Err(NoPicture::Later(reason) | NoPicture::Never(reason)) => {
                tracing::info!(login.id = %self.login_id, "A ghost goes without a picture: {reason}");
                true
            }
        };
        transaction(self.database.as_ref(), |transaction| {
            if given_up {
                ghosts::forget_picture(transaction, &owed.remote_user)?;
            }
            ghosts::settle_picture(transaction, &owed.remote_user, &owed.url)
        })?;
        Ok(())
    }

    /// Copies the picture at a URL and makes it a ghost's avatar.
    pub(super) async fn take_picture(&self, ghost: &UserId, url: &str, timeout_ms: u32) -> Result<(), NoPicture> {
        let ghost = self.matrix.ghost(ghost);
        let copy = self.copy_picture(&ghost, url, timeout_ms).await?;
        ghost.set_avatar_url(Some(&copy)).await.map_err(refused)
    }

    /// Copies the picture at a URL into this server's media.
    pub(super) async fn copy_picture(
        &self,
        who: &Intent,
        url: &str,
        timeout_ms: u32,
    ) -> Result<OwnedMxcUri, NoPicture> {
        let (bytes, content_type) = self.fetch_picture(url, timeout_ms).await?;
        who.upload_media(bytes, content_type, None).await.map_err(refused)
    }

    async fn fetch_picture(&self, url: &str, timeout_ms: u32) -> Result<(Vec<u8>, String), NoPicture> {
        let request = Request::builder().method(Method::GET).uri(url).body(Vec::new());
        let request = request.map_err(|error| NoPicture::Never(error.to_string()))?;
        // Where somebody's picture is was not the operator's choice.
        let answer = self.context.http.send(request, Egress::Stranger, timeout_ms).await;
        let answer = answer.map_err(|error| NoPicture::Later(error.to_string()))?;
        let status = answer.status();
        if !status.is_success() {
            let reason = format!("its address answers {status}");
            let later = status.is_server_error() || status.as_u16() == 429;
            return Err(if later { NoPicture::Later(reason) } else { NoPicture::Never(reason) });
        }
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(content_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp") {
            return Err(NoPicture::Never("it is no picture that clients show".to_owned()));
        }
        let bytes = answer.into_body();
        if bytes.len() > MOST_BYTES {
            return Err(NoPicture::Never(format!("it has {} bytes", bytes.len())));
        }
        Ok((bytes, content_type))
    }
}

fn refused(error: IntentError) -> NoPicture {
    let reason = error.to_string();
    if is_final(&error) { NoPicture::Never(reason) } else { NoPicture::Later(reason) }
}
