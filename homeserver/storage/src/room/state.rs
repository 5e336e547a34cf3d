//! The state of a room: current, and at any state group.

use crate::database::{DatabaseError, Query, Transaction};

/// One entry of a state map.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRow {
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// The event's order_key.
    pub event_key: i64,
    /// The membership of a member event.
    pub membership: Option<String>,
}

/// Sets one key of the state at `seq` of a branch, and of the current state.
pub fn set(transaction: &dyn Transaction, branch: i64, seq: i64, row: &StateRow) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO state_deltas (branch, type, state_key, seq, event_key, membership)
         VALUES (?, ?, ?, ?, ?, ?)",
        &[
            branch.into(),
            (&row.event_type).into(),
            (&row.state_key).into(),
            seq.into(),
            row.event_key.into(),
            row.membership.clone().into(),
        ],
    )?;
    transaction.execute(
        "INSERT INTO current_state (type, state_key, event_key, membership) VALUES (?, ?, ?, ?)
         ON CONFLICT (type, state_key) DO UPDATE
         SET event_key = excluded.event_key, membership = excluded.membership",
        &[(&row.event_type).into(), (&row.state_key).into(), row.event_key.into(), row.membership.clone().into()],
    )?;
    Ok(())
}

/// One entry of the current state.
pub fn current(query: &dyn Query, event_type: &str, state_key: &str) -> Result<Option<StateRow>, DatabaseError> {
    let row = query.query_one(
        "SELECT event_key, membership FROM current_state WHERE type = ? AND state_key = ?",
        &[event_type.into(), state_key.into()],
    )?;
    row.map(|row| {
        Ok(StateRow {
            event_type: event_type.to_owned(),
            state_key: state_key.to_owned(),
            event_key: row.integer(0)?,
            membership: row.optional_text(1)?,
        })
    })
    .transpose()
}

/// One entry of the state at a group.
pub fn at(
    query: &dyn Query,
    branch: i64,
    seq: i64,
    event_type: &str,
    state_key: &str,
) -> Result<Option<StateRow>, DatabaseError> {
    let (mut branch, mut seq) = (branch, seq);
    loop {
        let row = query.query_one(
            "SELECT event_key, membership FROM state_deltas
             WHERE branch = ? AND type = ? AND state_key = ? AND seq <= ?
             ORDER BY seq DESC LIMIT 1",
            &[branch.into(), event_type.into(), state_key.into(), seq.into()],
        )?;
        if let Some(row) = row {
            return Ok(Some(StateRow {
                event_type: event_type.to_owned(),
                state_key: state_key.to_owned(),
                event_key: row.integer(0)?,
                membership: row.optional_text(1)?,
            }));
        }
        match parent(query, branch)? {
            Some(next) => (branch, seq) = next,
            None => return Ok(None),
        }
    }
}

fn parent(query: &dyn Query, branch: i64) -> Result<Option<(i64, i64)>, DatabaseError> {
    let row = query.query_one(
        "SELECT parent, parent_seq FROM branches WHERE branch = ? AND parent IS NOT NULL",
        &[branch.into()],
    )?;
    row.map(|row| Ok((row.integer(0)?, row.integer(1)?))).transpose()
}

/// The whole state at a group, but for members.
pub fn all_but_members_at(query: &dyn Query, branch: i64, seq: i64) -> Result<Vec<StateRow>, DatabaseError> {
    merged(
        query,
        branch,
        seq,
        "SELECT type, state_key, event_key, membership, MAX(seq) FROM state_deltas
         WHERE branch = ? AND seq <= ? AND type <> 'm.room.member' GROUP BY type, state_key",
    )
}

/// The member events at a group.
pub fn members_at(query: &dyn Query, branch: i64, seq: i64) -> Result<Vec<StateRow>, DatabaseError> {
    merged(
        query,
        branch,
        seq,
        "SELECT type, state_key, event_key, membership, MAX(seq) FROM state_deltas
         WHERE branch = ? AND seq <= ? AND type = 'm.room.member' GROUP BY type, state_key",
    )
}

/// Runs a query for the newest deltas of a branch, and of its parents for keys not found yet.
fn merged(query: &dyn Query, branch: i64, seq: i64, sql: &'static str) -> Result<Vec<StateRow>, DatabaseError> {
    let mut found = std::collections::BTreeMap::new();
    let (mut branch, mut seq) = (branch, seq);
    loop {
        for row in query.query(sql, &[branch.into(), seq.into()])? {
            let row = StateRow {
                event_type: row.text(0)?,
                state_key: row.text(1)?,
                event_key: row.integer(2)?,
                membership: row.optional_text(3)?,
            };
            found.entry((row.event_type.clone(), row.state_key.clone())).or_insert(row);
        }
        match parent(query, branch)? {
            Some(next) => (branch, seq) = next,
            None => return Ok(found.into_values().collect()),
        }
    }
}

/// The current state without members.
pub fn current_but_members(query: &dyn Query) -> Result<Vec<StateRow>, DatabaseError> {
    let rows = query.query(
        "SELECT type, state_key, event_key, membership FROM current_state
         WHERE type <> 'm.room.member'",
        &[],
    )?;
    rows.iter().map(read).collect()
}

/// The current members.
pub fn current_members(query: &dyn Query) -> Result<Vec<StateRow>, DatabaseError> {
    let rows = query.query(
        "SELECT type, state_key, event_key, membership FROM current_state
         WHERE type = 'm.room.member'",
        &[],
    )?;
    rows.iter().map(read).collect()
}

/// At most `limit` entries of one type of the current state, by state key.
pub fn current_of_type(query: &dyn Query, event_type: &str, limit: u32) -> Result<Vec<StateRow>, DatabaseError> {
    let rows = query.query(
        "SELECT type, state_key, event_key, membership FROM current_state
         WHERE type = ? ORDER BY state_key LIMIT ?",
        &[event_type.into(), limit.into()],
    )?;
    rows.iter().map(read).collect()
}

/// At most `limit` joined or invited members but `user_id`, earliest first.
pub fn heroes(query: &dyn Query, user_id: &str, limit: u32) -> Result<Vec<String>, DatabaseError> {
    let rows = query.query(
        "SELECT state_key FROM current_state
         WHERE type = 'm.room.member' AND state_key <> ? AND membership IN ('join', 'invite')
         ORDER BY event_key LIMIT ?",
        &[user_id.into(), limit.into()],
    )?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// The membership changes of a user, oldest first, as (seq, membership) of one branch.
pub fn memberships_of(query: &dyn Query, branch: i64, user_id: &str) -> Result<Vec<(i64, String)>, DatabaseError> {
    let rows = query.query(
        "SELECT seq, membership FROM state_deltas
         WHERE branch = ? AND type = 'm.room.member' AND state_key = ? ORDER BY seq",
        &[branch.into(), user_id.into()],
    )?;
    rows.iter().map(|row| Ok((row.integer(0)?, row.optional_text(1)?.unwrap_or_default()))).collect()
}

fn read(row: &crate::database::Row) -> Result<StateRow, DatabaseError> {
    Ok(StateRow {
        event_type: row.text(0)?,
        state_key: row.text(1)?,
        event_key: row.integer(2)?,
        membership: row.optional_text(3)?,
    })
}

/// Opens the branch of a new room.
pub fn open_first_branch(transaction: &dyn Transaction) -> Result<(), DatabaseError> {
    transaction.execute("INSERT INTO branches (branch, parent, parent_seq) VALUES (0, NULL, NULL)", &[])?;
    Ok(())
}

/// At most `limit` joined members, earliest first.
pub fn first_joined(query: &dyn Query, limit: u32) -> Result<Vec<String>, DatabaseError> {
    let rows = query.query(
        "SELECT state_key FROM current_state
         WHERE type = 'm.room.member' AND membership = 'join' ORDER BY event_key LIMIT ?",
        &[limit.into()],
    )?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// At most `limit` member entries of one membership, by user id.
pub fn with_membership(query: &dyn Query, membership: &str, limit: u32) -> Result<Vec<StateRow>, DatabaseError> {
    let rows = query.query(
        "SELECT type, state_key, event_key, membership FROM current_state
         WHERE type = 'm.room.member' AND membership = ? ORDER BY state_key LIMIT ?",
        &[membership.into(), limit.into()],
    )?;
    rows.iter().map(read).collect()
}
