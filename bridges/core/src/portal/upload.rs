//! Files of the room's on their way to the network: the bytes first, which nobody sees, then the post that shows them.
//!
//! What the network does not take, or what does not get there in half a minute, goes as a link to this server that
//! nobody can guess, and that dies with the event. The row of an upload stays: its file goes when the event does.

use hubbub_core::error::Result;
use hubbub_storage::{
    directory::media_links,
    portal::{
        OutboundRow,
        files::{self as store, UploadRow},
    },
};
use ruma::OwnedMxcUri;
use serde_json::{Value as Json, json};

use super::{
    PortalObject,
    file_content::SPOILER,
    outbound::{Next, Outgoing},
};
use crate::{
    contract::{Access, Secret},
    failpoints,
    matrix::is_final,
    network::{FileUpload, Post, RemoteError},
    pace::Rate,
};

/// How long later messages wait for a file's bytes.
const TIMEOUT_MS: u32 = 30_000;

/// How often an upload is tried before the file goes as a link.
const MOST_TRIES: u32 = 3;

/// How often the network is asked by which message it shows a file.
const MOST_LOOKS: u32 = 10;

/// The pause between those.
const LOOK_PAUSE_MS: i64 = 1_000;

/// No file's name is longer, in characters.
const MOST_NAME_CHARACTERS: usize = 200;

/// `state` of an upload whose bytes are at the network.
const UPLOADED: &str = "uploaded";

/// `state` of an upload that the network posts, though it did not say as which message.
const SHARED: &str = "shared";

/// What the `state` of a file starts with that goes as a link; the link's id follows.
const LINK: &str = "link:";

/// A file of the room's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutgoingFile {
    mxc: OwnedMxcUri,
    name: String,
    mimetype: Option<String>,
    caption: Option<Json>,
    spoiler: bool,
}

impl OutgoingFile {
    /// Reads the file of a content; `None` when it is none, or an encrypted one.
    fn read(content: &Json) -> Option<Self> {
        let text = |pointer: &str| content.pointer(pointer).and_then(Json::as_str);
        let body = text("/body").unwrap_or("file");
        let name = text("/filename").unwrap_or(body);
        let mimetype = text("/info/mimetype").map(str::to_owned);
        let caption = (name != body).then(|| {
            let mut caption = content.clone();
            if let Some(fields) = caption.as_object_mut() {
                fields.insert("msgtype".to_owned(), "m.text".into());
                for field in ["url", "info", "filename"] {
                    fields.remove(field);
                }
            }
            caption
        });
        let mut name: String =
            name.chars().filter(|c| !c.is_control() && !matches!(c, '/' | '\\')).take(MOST_NAME_CHARACTERS).collect();
        if name.trim().is_empty() {
            "file".clone_into(&mut name);
        }
        let spoiler = content.get(SPOILER).and_then(Json::as_bool) == Some(true);
        Some(Self { mxc: text("/url")?.into(), name, mimetype, caption, spoiler })
    }

    /// The file that a message shows.
    pub(super) fn of_message(content: &Json) -> Option<Self> {
        let kind = content.get("msgtype").and_then(Json::as_str)?;
        matches!(kind, "m.image" | "m.file" | "m.audio" | "m.video").then(|| Self::read(content)).flatten()
    }

    /// The file that a sticker is.
    pub(super) fn of_sticker(content: &Json) -> Option<Self> {
        let file = Self::read(content)?;
        let ending = file.mimetype.as_deref().and_then(|kind| kind.strip_prefix("image/")).unwrap_or("png");
        let name = format!("{}.{}", file.name, ending.split('+').next().unwrap_or("png"));
        Some(Self { name, caption: None, ..file })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is said with it.
    pub(super) fn caption(&self) -> Option<&Json> {
        self.caption.as_ref()
    }
}

/// What comes of looking at a file at the head of the lane.
pub(super) enum Sending {
    /// This comes next.
    Next(Next),
    /// It goes as this post instead.
    AsPost(Json),
}

impl PortalObject {
    /// Brings the file at the head of the lane one step further.
    pub(super) async fn send_file(
        &self,
        row: &OutboundRow,
        file: &OutgoingFile,
        post: &Post,
        token: &Secret,
        access: &Access,
    ) -> Result<Sending> {
        let known = store::find_upload(self.database.as_query(), &row.event_id)?;
        let Some(known) = known else {
            return match self.facts().files_with_posts {
                true => self.send_with_file(row, file, post, token, access).await,
                false => self.upload(row, file, token, access).await,
            };
        };
        if let Some(link_id) = known.state.strip_prefix(LINK) {
            return self.as_link(link_id, file, access).await;
        }
        let Some(remote_file) = &known.remote_file else { return Ok(Sending::Next(Next::Done)) };
        if known.state == SHARED {
            return self.look_for_share(row, remote_file, post, token, access).await.map(Sending::Next);
        }
        self.share(row, remote_file, post, token, access).await.map(Sending::Next)
    }

    /// The bytes on their way, or what comes instead of them.
    async fn open(&self, row: &OutboundRow, file: &OutgoingFile) -> Result<Result<FileUpload, Sending>> {
        let body = match self.matrix.bot().download_media(&file.mxc).await {
            Ok(body) => body,
            Err(error) if is_final(&error) => {
                return self.refuse(row, "file_not_found").await.map(|next| Err(Sending::Next(next)));
            }
            Err(error) => return Err(error.into()),
        };
        let length = body.length().unwrap_or_default();
        if length > self.network.most_file_bytes() {
            return self.choose_link(row).map(Err);
        }
        let (name, mimetype, spoiler) = (file.name.clone(), file.mimetype.clone(), file.spoiler);
        Ok(Ok(FileUpload { name, mimetype, spoiler, length, body, timeout_ms: TIMEOUT_MS }))
    }

    /// Sends the post with the file beside it. What became of it the network's history tells, as for any post.
    async fn send_with_file(
        &self,
        row: &OutboundRow,
        file: &OutgoingFile,
        post: &Post,
        token: &Secret,
        access: &Access,
    ) -> Result<Sending> {
        if self.sending.doubts(row.seq) {
            return self.reconcile(row).await.map(Sending::Next);
        }
        if self.sending.tries(row.seq) >= MOST_TRIES {
            return self.choose_link(row);
        }
        let rate = Rate::per_second(i64::from(access.pace));
        if let Err(at) = self.buckets.take("send", rate, self.now()) {
            return Ok(Sending::Next(Next::At(at)));
        }
        let upload = match self.open(row, file).await? {
            Ok(upload) => upload,
            Err(instead) => return Ok(instead),
        };
        self.note_attempt(row.seq)?;
        let channel = self.row()?.channel;
        let outcome = {
            let _turn = self.locks.lock("call").await;
            let _call = self.sending.in_flight();
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_ATTEMPT).await;
            let outcome = self.network.send_file(&token.0, &channel, post, upload).await;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_SEND).await;
            match outcome {
                Ok(remote_id) => Ok(self.note_part(row.seq, post, &remote_id)?),
                Err(error) => {
                    if matches!(error, RemoteError::Unknown(_)) {
                        self.sending.doubt_through(row.seq, self.now());
                    }
                    Err(error)
                }
            }
        };
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_OUTBOUND).await;
        match outcome {
            Ok(()) => Ok(Sending::Next(Next::Again)),
            Err(RemoteError::Refused(code)) if self.network.refuses_file(&code) => self.choose_link(row),
            Err(error) => {
                if matches!(error, RemoteError::Unknown(_) | RemoteError::NotDone(_)) {
                    self.sending.tried(row.seq);
                }
                self.not_sent(row, error, access).await.map(Sending::Next)
            }
        }
    }

    /// Streams the bytes to the network.
    async fn upload(&self, row: &OutboundRow, file: &OutgoingFile, token: &Secret, access: &Access) -> Result<Sending> {
        let upload = match self.open(row, file).await? {
            Ok(upload) => upload,
            Err(instead) => return Ok(instead),
        };
        let channel = self.row()?.channel;
        let outcome = self.network.upload(&token.0, &channel, upload).await;
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_UPLOAD).await;
        match outcome {
            Ok(remote_file) => {
                self.note_upload(row, UPLOADED.to_owned(), Some(remote_file))?;
                Ok(Sending::Next(Next::Again))
            }
            Err(RemoteError::Refused(code)) if self.network.refuses_file(&code) => self.choose_link(row),
            // Nobody saw anything of it.
            Err(RemoteError::Unknown(cause) | RemoteError::NotDone(cause)) => {
                tracing::info!(portal.id = %self.portal_id, "A file was not uploaded: {cause}");
                if self.sending.tried(row.seq) >= MOST_TRIES {
                    return self.choose_link(row);
                }
                Ok(Sending::Next(Next::Failed))
            }
            Err(error) => self.not_sent(row, error, access).await.map(Sending::Next),
        }
    }

    /// Posts the file whose bytes are there.
    async fn share(
        &self,
        row: &OutboundRow,
        remote_file: &str,
        post: &Post,
        token: &Secret,
        access: &Access,
    ) -> Result<Next> {
        let channel = self.row()?.channel;
        if self.sending.doubts(row.seq) {
            // Before a second post, the network says whether there was a first; it may take a while to know.
            if self.sending.settled_at() > self.now() {
                return Ok(Next::At(self.sending.settled_at()));
            }
            if let Some(remote_id) = self.shared_as(row, remote_file, token, access).await? {
                self.note_part(row.seq, post, &remote_id)?;
                self.sending.resolve();
                return Ok(Next::Again);
            }
            if self.sending.tried(row.seq) < MOST_LOOKS {
                return Ok(Next::At(self.now().saturating_add(LOOK_PAUSE_MS)));
            }
            self.sending.resolve();
        }
        let rate = Rate::per_second(i64::from(access.pace));
        if let Err(at) = self.buckets.take("send", rate, self.now()) {
            return Ok(Next::At(at));
        }
        self.note_attempt(row.seq)?;
        let outcome = {
            let _turn = self.locks.lock("call").await;
            let _call = self.sending.in_flight();
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_ATTEMPT).await;
            let outcome = self.network.share(&token.0, &channel, remote_file, post).await;
            self.context.failpoints.pass(failpoints::PORTAL_AFTER_SEND).await;
            match outcome {
                Ok(Some(remote_id)) => Ok(self.note_part(row.seq, post, &remote_id)?),
                Ok(None) => Ok(self.note_upload(row, SHARED.to_owned(), Some(remote_file.to_owned()))?),
                Err(error) => {
                    if matches!(error, RemoteError::Unknown(_)) {
                        self.sending.doubt_through(row.seq, self.now());
                    }
                    Err(error)
                }
            }
        };
        self.context.failpoints.pass(failpoints::PORTAL_AFTER_OUTBOUND).await;
        match outcome {
            Ok(()) => Ok(Next::Again),
            Err(error) => self.not_sent(row, error, access).await,
        }
    }

    /// The file was posted, and the network did not say as which message: its echo or the network tells a little later.
    async fn look_for_share(
        &self,
        row: &OutboundRow,
        remote_file: &str,
        post: &Post,
        token: &Secret,
        access: &Access,
    ) -> Result<Next> {
        if let Some(remote_id) = self.shared_as(row, remote_file, token, access).await? {
            self.note_part(row.seq, post, &remote_id)?;
            return Ok(Next::Again);
        }
        if self.sending.tried(row.seq) < MOST_LOOKS {
            return Ok(Next::At(self.now().saturating_add(LOOK_PAUSE_MS)));
        }
        // Its echo is still recognised by the file.
        self.finish(row, &super::outbound::Progress::read(row.outcome.as_deref()))
    }

    async fn shared_as(
        &self,
        row: &OutboundRow,
        remote_file: &str,
        token: &Secret,
        access: &Access,
    ) -> Result<Option<String>> {
        let channel = self.row()?.channel;
        match self.network.shared_as(&token.0, &channel, remote_file).await {
            Ok(found) => Ok(found),
            Err(RemoteError::BadCredentials(reason)) => {
                self.token_refused(&reason, access).await?;
                Err(super::make::not_connected(self.facts()))
            }
            Err(RemoteError::Refused(_)) => Ok(None),
            Err(error) => {
                tracing::info!(portal.id = %self.portal_id, outbound.seq = row.seq, "{}", error.sentence());
                Err(hubbub_core::error::MatrixError::new(502, "M_UNKNOWN", error.sentence()))
            }
        }
    }

    fn note_upload(&self, row: &OutboundRow, state: String, remote_file: Option<String>) -> Result<()> {
        let upload = UploadRow { event_id: row.event_id.clone(), state, remote_file };
        self.commit(false, |transaction| Ok(store::put_upload(transaction, &upload)?))
    }

    /// The file goes as a link: its id is written down before anybody knows it.
    fn choose_link(&self, row: &OutboundRow) -> Result<Sending> {
        let link_id = self.context.random_id();
        self.note_upload(row, format!("{LINK}{link_id}"), None)?;
        Ok(Sending::Next(Next::Again))
    }

    /// The post that says where the file is.
    async fn as_link(&self, link_id: &str, file: &OutgoingFile, access: &Access) -> Result<Sending> {
        let Some(media_id) = file.mxc.as_str().rsplit('/').next() else { return Ok(Sending::Next(Next::Done)) };
        media_links::put(self.context.directory.as_ref(), link_id, media_id, self.now()).await?;
        let url = format!("{}/_hubbub/files/{link_id}", self.context.config.public_url);
        let said = file.caption.as_ref().and_then(|caption| caption.get("body")).and_then(Json::as_str);
        let title = self.facts().title;
        let mut text =
            format!("📎 {} (a file that {title} did not take; until I delete it, it is here): {url}", file.name);
        if let Some(said) = said {
            text = format!("{said}\n{text}");
        }
        let posts = self.posts_of(&json!({ "msgtype": "m.text", "body": text }), access).await?;
        Ok(Sending::AsPost(posts.into_iter().next().unwrap_or_default()))
    }

    /// An event is taken back: its link dies at once; the network's file, if it has one, goes next.
    pub(super) async fn revoke_file(&self, event_id: &str) -> Result<Option<String>> {
        let upload = store::find_upload(self.database.as_query(), event_id)?;
        let Some(upload) = upload else { return Ok(None) };
        if let Some(link_id) = upload.state.strip_prefix(LINK) {
            media_links::revoke(self.context.directory.as_ref(), link_id).await?;
        }
        Ok(upload.remote_file)
    }
}

/// The file that an event of the room's brings.
pub(super) fn file_of(event: &Outgoing) -> Option<OutgoingFile> {
    match event.event_type.as_str() {
        "m.sticker" => OutgoingFile::of_sticker(&event.content),
        _ => OutgoingFile::of_message(&event.content),
    }
}
