//! The part of a UserSyncObject's contract that is about the account itself: devices, refreshing,
//! password, deactivation, and tokens for one purpose.

use serde::{Deserialize, Serialize};

use super::{uia::Guard, user::Caller};

/// What a user's object can be asked about the account.
#[derive(Debug, Serialize, Deserialize)]
pub enum AccountCommand {
    /// → `Vec<`[`Device`]`>`, in the order of their ids
    ListDevices {
        /// On whose behalf.
        caller: Caller,
    },
    /// → [`Device`]; 404 when the user has none of this id
    GetDevice {
        /// On whose behalf.
        caller: Caller,
        /// Which.
        device_id: String,
    },
    /// Names a device; without a name it keeps the one it has. 404 when the user has none of this
    /// id. → `()`
    RenameDevice {
        /// On whose behalf.
        caller: Caller,
        /// Which.
        device_id: String,
        /// The new name.
        display_name: Option<String>,
    },
    /// Names a device, or makes it for an appservice's own user who needs no login for it
    /// ([MSC4190](https://github.com/matrix-org/matrix-spec-proposals/pull/4190)). → `bool`: whether it was made
    PutDevice {
        /// On whose behalf.
        caller: Caller,
        /// Which.
        device_id: String,
        /// The name.
        display_name: Option<String>,
    },
    /// Deletes a device and ends its sessions at once; 404 when the user has none of this id. →
    /// [`super::uia::Guarded`]`<()>`
    DeleteDevice {
        /// Who, and the proof.
        guard: Guard,
        /// Which.
        device_id: String,
    },
    /// The same with several; ids without a device are passed over. → [`super::uia::Guarded`]`<()>`
    DeleteDevices {
        /// Who, and the proof.
        guard: Guard,
        /// Which.
        device_ids: Vec<String>,
    },
    /// Changes the password. → [`super::uia::Guarded`]`<()>`
    ChangePassword {
        /// Who, and the proof.
        guard: Guard,
        /// The new password.
        new_password: String,
        /// Whether all devices but the calling one are deleted.
        logout_devices: bool,
    },
    /// Ends the account for ever: all sessions at once, then all memberships. →
    /// [`super::uia::Guarded`]`<()>`
    Deactivate {
        /// Who, and the proof.
        guard: Guard,
        /// Whether what the user kept here is erased, too.
        erase: bool,
    },
    /// Exchanges a refresh token, whose MAC was checked, for a new pair. 401 `M_UNKNOWN_TOKEN` when
    /// it is used up. → [`super::user::NewSession`]
    Refresh {
        /// The token's secret.
        secret: String,
    },
    /// A token with which another device can log in once. → [`super::uia::Guarded`]`<`[`ShortToken`]`>`
    LoginToken {
        /// Who, and the proof.
        guard: Guard,
    },
    /// A token that proves to a third party who the user is. → [`ShortToken`]
    OpenIdToken {
        /// On whose behalf.
        caller: Caller,
    },
    /// Whether an OpenID token, whose MAC was checked, holds; 401 `M_UNKNOWN_TOKEN` otherwise. → `()`
    CheckOpenIdToken {
        /// The token's secret.
        secret: String,
    },
}

/// A device as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub device_id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// When it was last seen, in milliseconds since the epoch; at most half an hour behind.
    pub last_seen_ts: Option<i64>,
    /// The address that it was seen at then.
    pub last_seen_ip: Option<String>,
}

/// A token for one purpose.
#[derive(Clone, Serialize, Deserialize)]
pub struct ShortToken {
    /// The whole token ([`crate::user::token`]).
    pub token: String,
    /// How long it lives, in milliseconds.
    pub expires_in_ms: i64,
}

impl std::fmt::Debug for ShortToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ShortToken")
    }
}
