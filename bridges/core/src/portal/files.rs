//! Files of remote messages: their bytes are copied beside the lane, one at a time, into an address that was reserved
//! before. So a second try after a crash makes no second file.
//!
//! The lane waits half a minute for them; then a note keeps their place, and the file replaces it when it is there.
//! What never comes is said in words, with the network's own link. Open `file_content` to see how a file looks.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use http::header::CONTENT_TYPE;
use hubbub_appservice::intent::Intent;
use hubbub_core::{
    context::Egress,
    error::{MatrixError, Result},
};
use hubbub_storage::{
    blobs::Body,
    portal::{
        changes::{self, DELETED, FILE_PARTS},
        files::{self as store, FileRow},
    },
};
use ruma::{OwnedMxcUri, UserId};
use serde_json::{Value as Json, value::RawValue};

use super::{PortalObject, change::replacement, file_content, inbound::Effect, show::Part};
use crate::{
    contract::{Ghost, Secret},
    matrix::is_final,
    network::{RemoteFile, RemoteMessage},
};

/// How long later messages wait for a file.
const PATIENCE_MS: i64 = 30_000;

/// How long copying one file may take.
const TIMEOUT_MS: u32 = 300_000;

/// How often a file is tried.
const MOST_TRIES: u32 = 6;

/// The first pause between tries; each is twice the one before.
const FIRST_PAUSE_MS: i64 = 5_000;

/// `state` of a file that is to be copied.
const OWED: &str = "";

/// `state` of a file whose bytes are here. Every other one is `!` and why they are not.
const HERE: &str = "here";

/// `note` of a file whose note is about to be shown: once decided, never undecided.
const NOTED: &str = "";

type Key = (String, i64);

/// The files that are on their way in.
#[derive(Default)]
pub(super) struct Incoming {
    rows: RefCell<BTreeMap<Key, FileRow>>,
    tries: RefCell<HashMap<Key, (u32, i64)>>,
}

impl Incoming {
    /// Reads what an earlier life left.
    pub(super) fn load(&self, rows: Vec<FileRow>) {
        self.rows.borrow_mut().extend(rows.into_iter().map(|row| (key_of(&row), row)));
    }

    /// The room is gone.
    pub(super) fn forget(&self) {
        self.rows.borrow_mut().clear();
        self.tries.borrow_mut().clear();
    }

    fn get(&self, key: &Key) -> Option<FileRow> {
        self.rows.borrow().get(key).cloned()
    }

    fn put(&self, row: FileRow) {
        self.rows.borrow_mut().insert(key_of(&row), row);
    }

    fn remove(&self, key: &Key) {
        self.rows.borrow_mut().remove(key);
        self.tries.borrow_mut().remove(key);
    }

    fn not_before(&self, row: &FileRow) -> i64 {
        self.tries.borrow().get(&key_of(row)).map_or(0, |(_, at)| *at)
    }

    /// The next file to copy, or whose note is to be replaced.
    fn next(&self, now: i64) -> Option<FileRow> {
        let rows = self.rows.borrow();
        rows.values().find(|row| needs_work(row) && self.not_before(row) <= now).cloned()
    }

    /// Whether there is something to do.
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.next(now).is_some()
    }

    /// When the next file is tried again.
    pub(super) fn next_try(&self, now: i64) -> Option<i64> {
        let rows = self.rows.borrow();
        let later = rows.values().filter(|row| needs_work(row)).map(|row| self.not_before(row));
        later.filter(|at| *at > now).min()
    }

    /// Counts a try that failed; whether it was the last.
    fn failed(&self, row: &FileRow, now: i64) -> bool {
        let mut tries = self.tries.borrow_mut();
        let (count, not_before) = tries.entry(key_of(row)).or_default();
        *not_before = now.saturating_add(FIRST_PAUSE_MS.checked_shl(*count).unwrap_or(FIRST_PAUSE_MS));
        *count = count.saturating_add(1);
        *count >= MOST_TRIES
    }

    /// Takes over what was written down with a batch.
    pub(super) fn apply(&self, effect: &Effect) {
        match effect {
            Effect::FileShown { place, part } => self.remove(&(place.clone(), *part)),
            Effect::FileNoted { place, part, event_id } => {
                if let Some(row) = self.rows.borrow_mut().get_mut(&(place.clone(), *part)) {
                    row.note = Some(event_id.clone());
                }
            }
            _ => {}
        }
    }

    /// The row as it becomes when its note is in the room.
    pub(super) fn noted(&self, place: &str, part: i64, event_id: &str) -> Option<FileRow> {
        let row = self.get(&(place.to_owned(), part))?;
        Some(FileRow { note: Some(event_id.to_owned()), ..row })
    }
}

fn key_of(row: &FileRow) -> Key {
    (row.place.clone(), row.part)
}

fn needs_work(row: &FileRow) -> bool {
    row.state == OWED || row.note.as_ref().is_some_and(|note| note != NOTED)
}

/// How a file of a message is shown now.
pub(super) struct FilePart {
    /// Which part of the message it is.
    pub(super) part: i64,
    /// What shows it.
    pub(super) content: Json,
    /// Whether that is a note, which the file will replace.
    pub(super) is_note: bool,
}

impl FilePart {
    /// What is written down when the room shows it.
    pub(super) fn effect(&self, place: &str, event_id: &str) -> Effect {
        let (place, part) = (place.to_owned(), self.part);
        match self.is_note {
            true => Effect::FileNoted { place, part, event_id: event_id.to_owned() },
            false => Effect::FileShown { place, part },
        }
    }
}

/// The files of a message.
pub(super) enum Files {
    /// They can be shown.
    Ready(Vec<FilePart>),
    /// They are waited for until then at most.
    Until(i64),
}

/// What copying a file came to.
enum Copied {
    Here,
    Later(String),
    Never(String),
}

impl PortalObject {
    /// How the files of a message are shown, or until when they are waited for.
    pub(super) async fn files_of(&self, message: &RemoteMessage, raw: &RawValue, ghost: &Ghost) -> Result<Files> {
        let mut parts = Vec::new();
        let mut until = None;
        for (part, file) in (FILE_PARTS..).zip(self.network.files_in(raw)) {
            let said = |content| FilePart { part, content, is_note: false };
            let limit = self.context.config.max_upload_bytes;
            if let Some(size) = file.size.filter(|size| *size > limit) {
                let size = file_content::megabytes(size);
                let why =
                    format!("this file has {size}, more than this server takes; it is at {}:", self.facts().title);
                parts.push(said(file_content::words(&file, &why)));
                continue;
            }
            let row = match self.incoming.get(&(message.place.place.clone(), part)) {
                Some(row) => row,
                None => self.want_file(message, part, &file, ghost).await?,
            };
            let patience = row.since.saturating_add(PATIENCE_MS);
            if row.note.is_some() || (row.state == OWED && patience <= self.now()) {
                if row.note.is_none() {
                    let row = FileRow { note: Some(NOTED.to_owned()), ..row };
                    self.commit(false, |transaction| Ok(store::put(transaction, &row)?))?;
                    self.incoming.put(row);
                }
                let why = format!("this file is still on its way from {}.", self.facts().title);
                parts.push(FilePart { part, content: file_content::words(&file, &why), is_note: true });
            } else if row.state == OWED {
                until = until.max(Some(patience));
            } else {
                parts.push(said(content_of(&file, &row)));
            }
        }
        Ok(until.map_or(Files::Ready(parts), Files::Until))
    }

    /// Reserves an address for a file and notes that its bytes are wanted.
    async fn want_file(&self, message: &RemoteMessage, part: i64, file: &RemoteFile, ghost: &Ghost) -> Result<FileRow> {
        let mut uploader = ghost.user_id.clone();
        let mut reserved = self.uploader(&uploader)?.reserve_media().await;
        if matches!(&reserved, Err(error) if is_final(error)) {
            uploader = self.matrix.bot_id()?;
            reserved = self.matrix.bot().reserve_media().await;
        }
        let row = FileRow {
            place: message.place.place.clone(),
            part,
            file: serde_json::to_string(file)?,
            mxc: reserved?.to_string(),
            uploader: uploader.to_string(),
            since: self.now(),
            state: OWED.to_owned(),
            note: None,
        };
        self.commit(true, |transaction| Ok(store::put(transaction, &row)?))?;
        self.incoming.put(row.clone());
        Ok(row)
    }

    fn uploader(&self, user: &UserId) -> Result<Intent> {
        Ok(if *user == self.owner()? {
            self.matrix.owner(user)
        } else if *user == self.matrix.bot_id()? {
            self.matrix.bot()
        } else {
            self.matrix.ghost(user)
        })
    }

    /// Copies what is owed, and replaces the notes of what is here.
    pub(super) async fn run_files(&self) {
        let Some(_guard) = self.file_lane.enter(self.now()) else { return };
        while let Some(row) = self.incoming.next(self.now()).filter(|_| self.is_active()) {
            // Whatever woke this run is used up, and copying takes long.
            if let Err(error) = self.commit(true, |_| Ok(())) {
                tracing::warn!(portal.id = %self.portal_id, "A file waits: {error}");
            }
            let outcome = match row.state.as_str() {
                OWED => self.bring(&row).await,
                _ => self.replace_note(&row).await,
            };
            if let Err(error) = outcome {
                tracing::warn!(portal.id = %self.portal_id, "A file waits: {error}");
                self.file_lane.fail(self.now());
                return;
            }
            self.file_lane.succeed();
        }
    }

    async fn bring(&self, row: &FileRow) -> Result<()> {
        let state = match self.copy(row).await? {
            Copied::Here => HERE.to_owned(),
            Copied::Never(why) => format!("!{why}"),
            Copied::Later(why) => {
                tracing::info!(portal.id = %self.portal_id, "A file is tried again: {why}");
                if !self.incoming.failed(row, self.now()) {
                    return Ok(());
                }
                format!("!{why}")
            }
        };
        self.context.failpoints.pass(crate::failpoints::PORTAL_AFTER_FILE).await;
        // Its note may have been shown meanwhile.
        let Some(row) = self.incoming.get(&key_of(row)) else { return Ok(()) };
        let row = FileRow { state, ..row };
        self.commit(true, |transaction| Ok(store::put(transaction, &row)?))?;
        self.incoming.put(row);
        self.inbound_lane.hurry();
        Ok(())
    }

    /// Streams a file from the network into its address.
    async fn copy(&self, row: &FileRow) -> Result<Copied> {
        let later = |why: &str| Ok(Copied::Later(why.to_owned()));
        let file: RemoteFile = serde_json::from_str(&row.file)?;
        let access = self.current_access().await?;
        let Some(token) = &access.token else { return later("the login is not connected") };
        let mut answer = match self.fetch(token, &file).await {
            Ok(answer) => answer,
            Err(copied) => return Ok(copied),
        };
        if matches!(answer.status().as_u16(), 403 | 404 | 410)
            && let Ok(Some(fresh)) = self.network.fresh_file(&token.0, &file).await
        {
            answer = match self.fetch(token, &fresh).await {
                Ok(answer) => answer,
                Err(copied) => return Ok(copied),
            };
        }
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if answer.status().as_u16() != 200 {
            return later(&format!("its address answers {}", answer.status().as_u16()));
        }
        let told = file.mimetype.clone().unwrap_or_else(|| content_type.clone());
        let length = answer.body().length();
        // A page with a login form comes instead of a file that is not ready, or for a token that may not see it.
        let is_page = content_type == "text/html" && told != "text/html";
        if is_page || file.size.zip(length).is_some_and(|(size, length)| size != length) {
            return later("it is not ready, or not for this account");
        }
        self.store(row, &file, &told, answer.into_body()).await
    }

    async fn fetch(&self, token: &Secret, file: &RemoteFile) -> Result<http::Response<Body>, Copied> {
        let Some(request) = self.network.file_request(&token.0, file) else {
            return Err(Copied::Never("it is not known where its bytes are".to_owned()));
        };
        self.context.http.stream(request, Egress::Stranger, TIMEOUT_MS).await.map_err(|error| {
            tracing::info!(portal.id = %self.portal_id, "A file gave no answer: {error}");
            Copied::Later("its address gives no answer".to_owned())
        })
    }

    async fn store(&self, row: &FileRow, file: &RemoteFile, content_type: &str, body: Body) -> Result<Copied> {
        let uploader = UserId::parse(&row.uploader).map_err(MatrixError::internal)?;
        let mxc = OwnedMxcUri::from(row.mxc.as_str());
        let mxc = mxc.as_ref();
        match self.uploader(&uploader)?.fill_media(mxc, content_type, &file.name, body).await {
            Ok(()) => Ok(Copied::Here),
            // A try of an earlier life did it.
            Err(error) if error.is("M_CANNOT_OVERWRITE_MEDIA") => Ok(Copied::Here),
            Err(error) if error.is("M_TOO_LARGE") => {
                Ok(Copied::Never("it is larger than this server takes".to_owned()))
            }
            Err(error) if is_final(&error) => Ok(Copied::Later(error.error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a file, or why there is none, where its note is.
    async fn replace_note(&self, row: &FileRow) -> Result<()> {
        let parts = changes::list_parts(self.database.as_query(), &row.place)?;
        let note = parts.into_iter().find(|part| part.part == row.part && part.edited < DELETED);
        if let Some(note) = note {
            let file: RemoteFile = serde_json::from_str(&row.file)?;
            let content = replacement(&content_of(&file, row), &note.event_id);
            let sender = note.sender.unwrap_or_else(|| row.uploader.clone());
            let ghost = self.speaker(&sender, "")?;
            let shown = Part {
                room: self.room_id()?,
                kind: "m.room.message",
                transaction: format!("{}-{}-{}-file", self.facts().id, note.remote_id, row.part),
                sent_at: self.now(),
                content: &content,
            };
            let own = ghost.user_id == self.owner()?;
            self.show_part(&shown, &ghost, own).await?;
        }
        self.commit(false, |transaction| Ok(store::delete(transaction, &row.place, row.part)?))?;
        self.incoming.remove(&key_of(row));
        Ok(())
    }
}

/// What shows a file that is not waited for any more.
fn content_of(file: &RemoteFile, row: &FileRow) -> Json {
    match row.state.strip_prefix('!') {
        Some(why) => file_content::words(file, &format!("this file did not come, since {why}.")),
        None => file_content::shown(file, &row.mxc),
    }
}
