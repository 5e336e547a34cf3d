//! The part of a UserKeysObject's contract that is about key backups
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-side-key-backups)).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a UserKeysObject can be asked about key backups. A version that does not exist is 404
/// `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub enum BackupCommand {
    /// Begins a new version. → its number (`String`)
    Create {
        /// The algorithm.
        algorithm: String,
        /// `auth_data`.
        auth_data: Box<RawValue>,
    },
    /// → [`BackupInfo`]
    Get {
        /// Which version; `None`: the newest.
        version: Option<String>,
    },
    /// Replaces `auth_data`; 400 `M_INVALID_PARAM` when the algorithm is another. → `()`
    Update {
        /// Which version.
        version: String,
        /// The algorithm.
        algorithm: String,
        /// `auth_data`.
        auth_data: Box<RawValue>,
    },
    /// Deletes a version with all its sessions. → `()`
    Delete {
        /// Which version.
        version: String,
    },
    /// Stores sessions, each unless a better one is there; 403 `M_WRONG_ROOM_KEYS_VERSION` unless
    /// the version is the newest. → [`BackupSize`]
    PutSessions {
        /// Which version.
        version: String,
        /// The sessions.
        sessions: Vec<BackupSession>,
    },
    /// Some of the sessions, in the order of rooms and sessions. → [`BackupPage`]
    GetSessions {
        /// Which version.
        version: String,
        /// Which sessions.
        scope: BackupScope,
        /// The last session of the page before.
        after: Option<(String, String)>,
    },
    /// Deletes sessions. → [`BackupSize`]
    DeleteSessions {
        /// Which version.
        version: String,
        /// Which sessions.
        scope: BackupScope,
    },
}

/// Which sessions of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum BackupScope {
    /// All.
    All,
    /// Those of a room.
    Room(String),
    /// One: room and session.
    Session(String, String),
}

/// A version of the backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupInfo {
    /// Its number.
    pub version: String,
    /// The algorithm.
    pub algorithm: String,
    /// `auth_data`.
    pub auth_data: Box<RawValue>,
    /// How many sessions it holds, and which state it is in.
    pub size: BackupSize,
}

/// How many sessions a backup holds, and which state it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSize {
    /// How many sessions.
    pub count: u64,
    /// Differs whenever the sessions do.
    pub etag: String,
}

/// A session with its key, which the server cannot read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupSession {
    /// The room.
    pub room_id: String,
    /// The session.
    pub session_id: String,
    /// The key.
    pub key: BackupKey,
}

/// The key of a session, in the form that clients send and get.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupKey {
    /// From which message on it decrypts.
    pub first_message_index: u32,
    /// How often it was forwarded.
    pub forwarded_count: u32,
    /// Whether the device that made the backup had verified where it came from.
    pub is_verified: bool,
    /// The encrypted key.
    pub session_data: Box<RawValue>,
}

/// Some sessions of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupPage {
    /// The sessions.
    pub sessions: Vec<BackupSession>,
    /// Whether more follow.
    pub more: bool,
}
