//! Key backups ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-side-key-backups)):
//! versions of which only the newest takes sessions, and in it only better ones than it has.

use std::collections::BTreeMap;

use hubbub_storage::{
    database::Transaction,
    keys::backup::{self, Backup, Session},
};
use serde_json::value::RawValue;

use super::UserKeysObject;
use crate::{
    contract::{
        backup::{BackupCommand, BackupInfo, BackupKey, BackupPage, BackupScope, BackupSession, BackupSize},
        encode,
    },
    error::{MatrixError, Result},
};

/// The most bytes of `auth_data`.
const MAX_AUTH_DATA_BYTES: usize = 64 * 1024;
/// The most bytes of a session's encrypted key.
const MAX_SESSION_BYTES: usize = 64 * 1024;
/// The most bytes of a room id or a session id.
const MAX_ID_BYTES: usize = 255;
/// The most bytes of session data of a version: about 40,000 sessions.
const MAX_BACKUP_BYTES: i64 = 32 * 1024 * 1024;
/// The most versions of a user; an older one is of use only until the newest holds its sessions.
const MAX_VERSIONS: i64 = 20;
/// So many sessions are read at once.
const PAGE_SESSIONS: u32 = 500;

impl UserKeysObject {
    pub(super) fn handle_backup(&self, command: BackupCommand) -> Result<Vec<u8>> {
        match command {
            BackupCommand::Create { algorithm, auth_data } => encode(&self.create_backup(&algorithm, &auth_data)?),
            BackupCommand::Get { version } => encode(&info(self.backup(version.as_deref())?)?),
            BackupCommand::Update { version, algorithm, auth_data } => {
                encode(&self.update_backup(&version, &algorithm, &auth_data)?)
            }
            BackupCommand::Delete { version } => encode(&self.delete_backup(&version)?),
            BackupCommand::PutSessions { version, sessions } => encode(&self.put_sessions(&version, sessions)?),
            BackupCommand::GetSessions { version, scope, after } => {
                encode(&self.get_sessions(&version, &scope, after)?)
            }
            BackupCommand::DeleteSessions { version, scope } => encode(&self.delete_sessions(&version, &scope)?),
        }
    }

    /// The version of this number, or the newest; 404 `M_NOT_FOUND` when there is none.
    fn backup(&self, version: Option<&str>) -> Result<Backup> {
        let found = match version {
            _ if !self.exists() => None,
            None => backup::latest(self.query())?,
            Some(version) => match version.parse::<u32>() {
                Ok(number) => backup::get(self.query(), i64::from(number))?,
                Err(_) => None,
            },
        };
        found.ok_or_else(|| MatrixError::not_found("There is no such version of the key backup."))
    }

    fn create_backup(&self, algorithm: &str, auth_data: &RawValue) -> Result<String> {
        check_auth_data(algorithm, auth_data)?;
        self.change(|transaction, change| {
            if backup::count(transaction.as_query())? >= MAX_VERSIONS {
                return Err(MatrixError::too_large("There are too many versions of the key backup; delete one."));
            }
            let version = change.state.next_backup;
            change.state.next_backup += 1;
            backup::put(
                transaction,
                &Backup {
                    version,
                    algorithm: algorithm.to_owned(),
                    auth_data: auth_data.get().to_owned(),
                    etag: 0,
                    sessions: 0,
                    bytes: 0,
                },
            )?;
            Ok(version.to_string())
        })
    }

    fn update_backup(&self, version: &str, algorithm: &str, auth_data: &RawValue) -> Result<()> {
        check_auth_data(algorithm, auth_data)?;
        let stored = self.backup(Some(version))?;
        if stored.algorithm != algorithm {
            return Err(MatrixError::invalid_param("A version of the key backup keeps its algorithm."));
        }
        let stored = Backup { auth_data: auth_data.get().to_owned(), ..stored };
        self.change(|transaction, _| Ok(backup::put(transaction, &stored)?))
    }

    fn delete_backup(&self, version: &str) -> Result<()> {
        let stored = self.backup(Some(version))?;
        self.change(|transaction, _| Ok(backup::delete(transaction, stored.version)?))
    }

    fn put_sessions(&self, version: &str, sessions: Vec<BackupSession>) -> Result<BackupSize> {
        let stored = self.newest(version)?;
        let sessions = sessions.into_iter().map(check_session).collect::<Result<Vec<_>>>()?;
        let ids: Vec<(&str, &str)> =
            sessions.iter().map(|session| (session.room_id.as_str(), session.session_id.as_str())).collect();
        let there: BTreeMap<_, _> = backup::sessions(self.query(), stored.version, &ids)?
            .into_iter()
            .map(|session| ((session.room_id.clone(), session.session_id.clone()), session))
            .collect();
        let mut after = stored.clone();
        let mut better = Vec::new();
        for session in sessions {
            match there.get(&(session.room_id.clone(), session.session_id.clone())) {
                Some(kept) if !is_better(&session, kept) => continue,
                Some(replaced) => after.bytes -= length(replaced),
                None => after.sessions += 1,
            }
            after.bytes += length(&session);
            better.push(session);
        }
        if better.is_empty() {
            return Ok(size(&stored));
        }
        if after.bytes > MAX_BACKUP_BYTES {
            return Err(MatrixError::too_large("The key backup is full."));
        }
        after.etag += 1;
        self.change(|transaction, _| {
            for session in &better {
                backup::put_session(transaction, after.version, session)?;
            }
            backup::put(transaction, &after)?;
            Ok(size(&after))
        })
    }

    /// The version, if it is the newest: 403 `M_WRONG_ROOM_KEYS_VERSION` for an older one.
    fn newest(&self, version: &str) -> Result<Backup> {
        let newest = self.backup(None)?;
        let asked = self.backup(Some(version))?;
        if asked.version == newest.version {
            return Ok(asked);
        }
        Err(MatrixError::new(403, "M_WRONG_ROOM_KEYS_VERSION", "There is a newer version of the key backup.")
            .with("current_version", newest.version.to_string()))
    }

    fn get_sessions(&self, version: &str, scope: &BackupScope, after: Option<(String, String)>) -> Result<BackupPage> {
        let stored = self.backup(Some(version))?;
        let mut page = BackupPage { sessions: Vec::new(), more: false };
        if let BackupScope::Session(room_id, session_id) = scope {
            let found = backup::session(self.query(), stored.version, room_id, session_id)?;
            page.sessions.extend(found.map(shown).transpose()?);
            return Ok(page);
        }
        let start = match (after, scope) {
            (Some(after), _) => after,
            (None, BackupScope::Room(room_id)) => (room_id.clone(), String::new()),
            (None, _) => (String::new(), String::new()),
        };
        let found = backup::sessions_after(self.query(), stored.version, (&start.0, &start.1), PAGE_SESSIONS)?;
        page.more = found.len() >= usize::try_from(PAGE_SESSIONS).unwrap_or(usize::MAX);
        for session in found {
            if let BackupScope::Room(room_id) = scope
                && session.room_id != *room_id
            {
                page.more = false;
                break;
            }
            page.sessions.push(shown(session)?);
        }
        Ok(page)
    }

    fn delete_sessions(&self, version: &str, scope: &BackupScope) -> Result<BackupSize> {
        let stored = self.backup(Some(version))?;
        let (room_id, session_id) = match scope {
            BackupScope::All => (None, None),
            BackupScope::Room(room_id) => (Some(room_id.as_str()), None),
            BackupScope::Session(room_id, session_id) => (Some(room_id.as_str()), Some(session_id.as_str())),
        };
        self.change(|transaction, _| {
            let mut after = stored.clone();
            let (sessions, bytes) = delete(transaction, &after, room_id, session_id)?;
            if sessions > 0 {
                after.sessions -= sessions;
                after.bytes -= bytes;
                after.etag += 1;
                backup::put(transaction, &after)?;
            }
            Ok(size(&after))
        })
    }
}

fn delete(
    transaction: &dyn Transaction,
    stored: &Backup,
    room_id: Option<&str>,
    session_id: Option<&str>,
) -> Result<(i64, i64)> {
    Ok(backup::delete_sessions(transaction, stored.version, room_id, session_id)?)
}

/// Whether a session's key replaces the one that is kept: one that was verified beats one that was
/// not, then the one that decrypts from an earlier message on, then the one that was forwarded less.
fn is_better(new: &Session, kept: &Session) -> bool {
    let rank = |session: &Session| (!session.is_verified, session.first_message_index, session.forwarded_count);
    rank(new) < rank(kept)
}

fn check_auth_data(algorithm: &str, auth_data: &RawValue) -> Result<()> {
    if auth_data.get().len() > MAX_AUTH_DATA_BYTES || algorithm.len() > MAX_ID_BYTES {
        return Err(MatrixError::too_large("auth_data or algorithm is too large."));
    }
    if !auth_data.get().starts_with('{') {
        return Err(MatrixError::bad_json("auth_data must be an object."));
    }
    Ok(())
}

fn check_session(session: BackupSession) -> Result<Session> {
    let BackupSession { room_id, session_id, key } = session;
    if room_id.len() > MAX_ID_BYTES || session_id.len() > MAX_ID_BYTES || session_id.is_empty() {
        return Err(MatrixError::invalid_param("A room id or a session id is too long, or empty."));
    }
    if key.session_data.get().len() > MAX_SESSION_BYTES {
        return Err(MatrixError::too_large("session_data is too large."));
    }
    Ok(Session {
        room_id,
        session_id,
        first_message_index: key.first_message_index.into(),
        forwarded_count: key.forwarded_count.into(),
        is_verified: key.is_verified,
        session_data: key.session_data.get().to_owned(),
    })
}

fn length(session: &Session) -> i64 {
    i64::try_from(session.session_data.len()).unwrap_or(i64::MAX)
}

fn size(stored: &Backup) -> BackupSize {
    BackupSize { count: u64::try_from(stored.sessions).unwrap_or_default(), etag: stored.etag.to_string() }
}

fn info(stored: Backup) -> Result<BackupInfo> {
    Ok(BackupInfo {
        version: stored.version.to_string(),
        size: size(&stored),
        algorithm: stored.algorithm,
        auth_data: RawValue::from_string(stored.auth_data)?,
    })
}

fn shown(session: Session) -> Result<BackupSession> {
    let number = |number: i64| u32::try_from(number).map_err(MatrixError::internal);
    Ok(BackupSession {
        key: BackupKey {
            first_message_index: number(session.first_message_index)?,
            forwarded_count: number(session.forwarded_count)?,
            is_verified: session.is_verified,
            session_data: RawValue::from_string(session.session_data)?,
        },
        room_id: session.room_id,
        session_id: session.session_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(is_verified: bool, first_message_index: i64, forwarded_count: i64) -> Session {
        Session {
            room_id: "!r".to_owned(),
            session_id: "s".to_owned(),
            first_message_index,
            forwarded_count,
            is_verified,
            session_data: "{}".to_owned(),
        }
    }

    #[test]
    fn verified_wins_then_the_lower_index_then_the_lower_count_and_an_equal_one_changes_nothing() {
        let kept = session(false, 10, 5);
        for better in [session(true, 99, 99), session(false, 9, 99), session(false, 10, 4)] {
            assert!(is_better(&better, &kept), "{better:?}");
        }
        for worse in [session(false, 11, 0), session(false, 10, 6), session(false, 10, 5)] {
            assert!(!is_better(&worse, &kept), "{worse:?}");
        }
        assert!(!is_better(&session(false, 0, 0), &session(true, 10, 5)));
    }
}
