//! The contracts about keys: [`KeysCommand`] is a UserKeysObject's; [`OwnKeysCommand`] the part of a
//! UserSyncObject's that decides for whom keys are kept, and passes them on.

use std::collections::BTreeMap;

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};

use super::{backup::BackupCommand, uia::Guard, user::Caller};

/// What a UserSyncObject can be asked about its user's keys.
#[derive(Debug, Serialize, Deserialize)]
pub enum OwnKeysCommand {
    /// Stores keys of the calling device. → [`KeyCounts`]
    Upload {
        /// On whose behalf.
        caller: Caller,
        /// The keys.
        keys: UploadKeys,
    },
    /// Replaces cross-signing keys, once the user has authenticated just these; the first ones, and
    /// those that are there already, need no authentication. → [`super::uia::Guarded`]`<()>`
    SetCrossSigning {
        /// Who, and the proof.
        guard: Guard,
        /// The keys.
        keys: CrossSigningKeys,
    },
    /// Replaces the dehydrated device. → `()`
    PutDehydrated {
        /// On whose behalf.
        caller: Caller,
        /// The device.
        device: DehydratedDevice,
    },
    /// Deletes the dehydrated device. → its id (`String`); 404 when there is none
    DeleteDehydrated {
        /// On whose behalf.
        caller: Caller,
    },
}

/// What a UserKeysObject can be asked. Who asks was checked by the sender.
#[derive(Debug, Serialize, Deserialize)]
pub enum KeysCommand {
    /// Stores keys of a device; only from the user's UserSyncObject, which knows that it exists. →
    /// [`KeyCounts`]
    Upload {
        /// The device.
        device_id: String,
        /// Its name.
        display_name: Option<String>,
        /// The keys.
        keys: UploadKeys,
        /// The generation in which the device was seen to exist.
        generation: i64,
    },
    /// The keys that others may see. → [`UserKeys`]
    Query {
        /// Who wants to see them.
        viewer: OwnedUserId,
        /// Of which devices; all when empty.
        device_ids: Vec<String>,
    },
    /// Hands out one key of each of these devices: the oldest one-time key of the algorithm, else
    /// the fallback key. Nobody gets a one-time key twice. → [`ClaimedKeys`]; a device without a
    /// key is absent
    Claim {
        /// The algorithm wanted by device.
        devices: BTreeMap<String, String>,
    },
    /// Stores cross-signing keys; only from the user's UserSyncObject. → [`CrossSigningOutcome`]
    SetCrossSigning {
        /// The keys.
        keys: CrossSigningKeys,
        /// Whether the user authenticated these.
        authorised: bool,
    },
    /// Takes signatures that the user made, of own and of others' keys. → [`SignatureFailures`]
    Sign {
        /// The signed objects by user and by device id or public key.
        objects: SignedObjects,
    },
    /// Takes signatures of this user's master key that another user made with a user-signing key. →
    /// the failures by public key (`BTreeMap<String, `[`SignatureFailure`]`>`)
    SignedBy {
        /// The other user.
        signer: OwnedUserId,
        /// The public part of the other user's user-signing key.
        user_signing_key: String,
        /// The signed objects by public key.
        objects: BTreeMap<String, Json>,
    },
    /// These devices exist no more; only from the user's UserSyncObject. → `()`
    DeleteDevices {
        /// Their ids.
        device_ids: Vec<String>,
        /// The generation in which they are gone: what is of an earlier one comes too late.
        generation: i64,
    },
    /// A device has another name; only from the user's UserSyncObject. → `()`
    RenameDevice {
        /// Its id.
        device_id: String,
        /// Its name.
        display_name: Option<String>,
    },
    /// The account was deactivated: nothing is kept, and nothing taken any more. → `()`
    Close,
    /// Key backups.
    Backup(BackupCommand),
    /// Stores a dehydrated device; only from the user's UserSyncObject. → `()`
    PutDehydrated {
        /// The device.
        device: DehydratedDevice,
        /// The generation in which it was seen to exist.
        generation: i64,
    },
    /// → [`Dehydrated`]; 404 when there is none
    GetDehydrated,
    /// Does outstanding work; from Cron. → `()`
    Poke,
}

/// The keys of a device on their way in, as they were uploaded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UploadKeys {
    /// The device's identity keys.
    pub device_keys: Option<Box<RawValue>>,
    /// One-time keys by their id (`algorithm:name`).
    pub one_time_keys: BTreeMap<String, Box<RawValue>>,
    /// Fallback keys by their id.
    pub fallback_keys: BTreeMap<String, Box<RawValue>>,
}

/// How many one-time keys of a device nobody claimed, by algorithm.
pub type KeyCounts = BTreeMap<String, u64>;

/// A user's keys as somebody may see them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UserKeys {
    /// By device.
    pub devices: BTreeMap<String, Json>,
    /// The cross-signing keys by usage; `user_signing` only for the user.
    pub cross_signing: BTreeMap<String, Json>,
}

/// Keys that were handed out: by device, by key id.
pub type ClaimedKeys = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

/// Cross-signing keys on their way in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CrossSigningKeys {
    /// By usage: `master`, `self_signing`, `user_signing`.
    pub keys: BTreeMap<String, Json>,
}

/// What became of cross-signing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CrossSigningOutcome {
    /// They are stored, or were before.
    Stored,
    /// They would replace others: the user has to authenticate that.
    NeedsAuthentication,
}

/// Signed objects by user and by device id or public key.
pub type SignedObjects = BTreeMap<OwnedUserId, BTreeMap<String, Json>>;

/// Signatures that were not taken, by user and by device id or public key.
pub type SignatureFailures = BTreeMap<OwnedUserId, BTreeMap<String, SignatureFailure>>;

/// Why a signature was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureFailure {
    /// The errcode.
    pub errcode: String,
    /// A sentence.
    pub error: String,
}

/// A dehydrated device
/// ([MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DehydratedDevice {
    /// Its id.
    pub device_id: String,
    /// Its encrypted state.
    pub device_data: Box<RawValue>,
    /// Its name.
    pub display_name: Option<String>,
    /// Its keys.
    pub keys: UploadKeys,
}

/// The dehydrated device as its owner gets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dehydrated {
    /// Its id.
    pub device_id: String,
    /// Its encrypted state.
    pub device_data: Box<RawValue>,
}
