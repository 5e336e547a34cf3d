//! What a UserSyncObject stores: the account with its sessions, and the inbox.
//!
//! **The inbox is no log.** Each row that `/sync` shows holds its latest value and the inbox
//! position at which it changed. One position stands for one transaction, so a sync token never
//! splits a delivery. Only the timeline remembers more: an event that is no longer kept leaves its
//! pair (inbox position, order key) behind, so that a token of any age has a place in the room.
//!
//! Most tables are `WITHOUT ROWID`: each row written is billed once.

pub mod account;
pub mod account_data;
pub mod credentials;
pub mod device_lists;
pub mod devices;
mod encryption;
pub mod first_sync;
pub mod inbox;
pub mod jobs;
pub mod key_jobs;
pub mod keys_news;
pub mod mirror;
pub mod parting;
mod people;
pub mod presence;
pub mod profile_fields;
pub mod pushers;
pub mod receipts;
pub mod search;
pub mod sessions;
pub mod state;
pub mod timeline;
pub mod to_device;
pub mod upgrades;

use crate::schema::Steps;

/// The schema.
pub const SCHEMA: Steps =
    &[FIRST, first_sync::STEP, credentials::STEP, people::STEP, upgrades::STEP, key_jobs::STEP, encryption::STEP];

const FIRST: &[&str] = &[
    "CREATE TABLE account (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        owner INTEGER NOT NULL,
        appservice_id TEXT,
        password_hash TEXT,
        created_at INTEGER NOT NULL,
        displayname TEXT,
        avatar_url TEXT,
        revision INTEGER NOT NULL,
        mirrored INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        failed_at INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE sessions (
        secret_hash TEXT PRIMARY KEY,
        device_id TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE devices (
        device_id TEXT PRIMARY KEY,
        display_name TEXT,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE filters (
        filter_id TEXT PRIMARY KEY,
        filter TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE inbox (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch INTEGER NOT NULL,
        position INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE rooms (
        room_id TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        position INTEGER NOT NULL,
        membership TEXT NOT NULL,
        changed_pos INTEGER NOT NULL,
        membership_pos INTEGER NOT NULL,
        gap_pos INTEGER NOT NULL,
        state_pos INTEGER NOT NULL,
        receipts_pos INTEGER NOT NULL,
        typing_pos INTEGER NOT NULL,
        summary_pos INTEGER NOT NULL,
        unread_pos INTEGER NOT NULL,
        kept_from INTEGER NOT NULL,
        left_by_self INTEGER NOT NULL,
        forgotten INTEGER NOT NULL,
        inviter TEXT,
        invite_state TEXT,
        typing TEXT,
        joined INTEGER NOT NULL,
        invited INTEGER NOT NULL,
        heroes TEXT NOT NULL,
        unread TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX rooms_by_change ON rooms (changed_pos)",
    "CREATE TABLE timeline (
        room_id TEXT NOT NULL,
        order_key INTEGER NOT NULL,
        position INTEGER,
        inbox_pos INTEGER NOT NULL,
        notify INTEGER NOT NULL,
        thread TEXT,
        event_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        state_key TEXT,
        sender TEXT NOT NULL,
        membership TEXT,
        device_id TEXT,
        transaction_id TEXT,
        ts INTEGER NOT NULL,
        event TEXT,
        unsigned TEXT,
        PRIMARY KEY (room_id, order_key)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE state (
        room_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        state_key TEXT NOT NULL,
        changed_pos INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        sender TEXT NOT NULL,
        membership TEXT,
        ts INTEGER NOT NULL,
        event TEXT NOT NULL,
        unsigned TEXT,
        PRIMARY KEY (room_id, event_type, state_key)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE receipts (
        room_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        receipt_type TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        changed_pos INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        event_position INTEGER NOT NULL,
        ts INTEGER NOT NULL,
        PRIMARY KEY (room_id, user_id, receipt_type, thread_id)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE account_data (
        room_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        changed_pos INTEGER NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (room_id, event_type)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE profile_jobs (
        room_id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE room_sagas (
        room_id TEXT PRIMARY KEY,
        intent TEXT NOT NULL,
        step INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
];
