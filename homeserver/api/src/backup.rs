//! Key backups ([spec](https://spec.matrix.org/v1.11/client-server-api/#server-side-key-backups)).
//!
//! Each endpoint asks the caller's UserKeysObject, once the caller's session is known to live.

mod add_backup_keys;
mod add_backup_keys_for_room;
mod add_backup_keys_for_session;
mod create_backup_version;
mod delete_backup_keys;
mod delete_backup_keys_for_room;
mod delete_backup_keys_for_session;
mod delete_backup_version;
mod get_backup_info;
mod get_backup_keys;
mod get_backup_keys_for_room;
mod get_backup_keys_for_session;
mod get_latest_backup_info;
mod update_backup_version;

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{
        Address,
        backup::{BackupCommand, BackupInfo, BackupKey, BackupPage, BackupScope, BackupSession, BackupSize},
        keys::KeysCommand,
    },
    error::Result,
};
use ruma::{OwnedRoomId, api::client::backup};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};

use crate::{
    answer::Outcome,
    call::{Call, missing, parse_id},
    credentials::Authenticated,
    endpoint::{Endpoint, of},
    objects, respond,
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        of::<backup::create_backup_version::v3::Request>().raw(create_backup_version::handle),
        of::<backup::get_latest_backup_info::v3::Request>().raw(get_latest_backup_info::handle),
        of::<backup::get_backup_info::v3::Request>().raw(get_backup_info::handle),
        of::<backup::update_backup_version::v3::Request>().raw(update_backup_version::handle),
        of::<backup::delete_backup_version::v3::Request>().raw(delete_backup_version::handle),
        of::<backup::add_backup_keys::v3::Request>().raw(add_backup_keys::handle),
        of::<backup::add_backup_keys_for_room::v3::Request>().raw(add_backup_keys_for_room::handle),
        of::<backup::add_backup_keys_for_session::v3::Request>().raw(add_backup_keys_for_session::handle),
        of::<backup::get_backup_keys::v3::Request>().raw(get_backup_keys::handle),
        of::<backup::get_backup_keys_for_room::v3::Request>().raw(get_backup_keys_for_room::handle),
        of::<backup::get_backup_keys_for_session::v3::Request>().raw(get_backup_keys_for_session::handle),
        of::<backup::delete_backup_keys::v3::Request>().raw(delete_backup_keys::handle),
        of::<backup::delete_backup_keys_for_room::v3::Request>().raw(delete_backup_keys_for_room::handle),
        of::<backup::delete_backup_keys_for_session::v3::Request>().raw(delete_backup_keys_for_session::handle),
    ]
}

/// A version on its way in.
#[derive(Deserialize)]
struct VersionBody {
    algorithm: String,
    auth_data: Box<RawValue>,
    version: Option<String>,
}

/// The sessions of a room, on their way in or out.
#[derive(Default, Serialize, Deserialize)]
struct RoomSessions {
    sessions: BTreeMap<String, BackupKey>,
}

async fn ask<R: DeserializeOwned>(call: &Call<Authenticated>, command: BackupCommand) -> Result<R> {
    let address = Address::user_keys(call.auth.user_id());
    objects::call_again(&*call.context.objects, address, &KeysCommand::Backup(command)).await
}

/// `?version=`; 400 `M_MISSING_PARAM` without it.
fn version(call: &Call<Authenticated>) -> Result<String> {
    Ok(call.query("version").ok_or_else(|| missing("version"))?.into_owned())
}

/// The sessions of a room, ready to be stored; 400 `M_INVALID_PARAM` when the room id is none.
fn of_room(room_id: &str, room: RoomSessions) -> Result<Vec<BackupSession>> {
    let room_id: OwnedRoomId = parse_id(room_id)?;
    let sessions = room.sessions.into_iter();
    Ok(sessions.map(|(session_id, key)| BackupSession { room_id: room_id.to_string(), session_id, key }).collect())
}

async fn put(call: &Call<Authenticated>, sessions: Vec<BackupSession>) -> Result<Outcome> {
    let size = ask(call, BackupCommand::PutSessions { version: version(call)?, sessions }).await?;
    sized(&size)
}

async fn delete(call: &Call<Authenticated>, scope: BackupScope) -> Result<Outcome> {
    let size = ask(call, BackupCommand::DeleteSessions { version: version(call)?, scope }).await?;
    sized(&size)
}

fn sized(size: &BackupSize) -> Result<Outcome> {
    respond::json(&json!({ "count": size.count, "etag": size.etag }))
}

/// All sessions of a scope, by room: one call of the object for every few hundred.
async fn get(call: &Call<Authenticated>, scope: BackupScope) -> Result<BTreeMap<String, RoomSessions>> {
    let version = version(call)?;
    let mut rooms = BTreeMap::<String, RoomSessions>::new();
    let mut after = None;
    loop {
        let command = BackupCommand::GetSessions { version: version.clone(), scope: scope.clone(), after };
        let page: BackupPage = ask(call, command).await?;
        after = page.sessions.last().map(|last| (last.room_id.clone(), last.session_id.clone()));
        for session in page.sessions {
            rooms.entry(session.room_id).or_default().sessions.insert(session.session_id, session.key);
        }
        if !page.more || after.is_none() {
            return Ok(rooms);
        }
    }
}

fn shown(info: &BackupInfo) -> Result<Outcome> {
    respond::json(&json!({
        "algorithm": info.algorithm,
        "auth_data": info.auth_data,
        "count": info.size.count,
        "etag": info.size.etag,
        "version": info.version,
    }))
}
