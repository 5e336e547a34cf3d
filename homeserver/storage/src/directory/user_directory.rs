//! The user directory: who can be found, by whom and by which words.
//!
//! A user is found by whoever shares a room with them, and by everybody while they are in a room
//! that anybody can join or read.

use super::{Directory, Statement, run};
use crate::database::DatabaseError;

/// A user who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// The user id.
    pub user_id: String,
    /// The display name that everybody sees.
    pub displayname: Option<String>,
    /// The avatar.
    pub avatar_url: Option<String>,
}

/// A search for users.
#[derive(Clone, Debug)]
pub struct UserLookup<'a> {
    /// Who searches, and is never found.
    pub searcher: &'a str,
    /// What must all occur in the name or the localpart with its `@`, in lower case. Not empty.
    pub words: &'a [String],
    /// All words with single spaces, for who is to come first.
    pub phrase: &'a str,
    /// At most so many.
    pub limit: u32,
}

/// A display name as it is looked for.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Notes whether anybody can join or read a room, as of a position of its stream.
pub fn put_open_room(room_id: &str, is_open: bool, position: i64) -> Statement {
    Statement::new(
        "INSERT INTO open_rooms (room_id, is_open, position) VALUES (?, ?, ?)
         ON CONFLICT (room_id) DO UPDATE SET is_open = excluded.is_open, position = excluded.position
         WHERE excluded.position >= open_rooms.position",
        vec![room_id.into(), is_open.into(), position.into()],
    )
}

/// Users who match, best first: whose name or localpart is what was asked for, then whose begins
/// with it, then who has a word that does; among equals those with a name, by id.
pub async fn find(directory: &dyn Directory, lookup: &UserLookup<'_>) -> Result<Vec<FoundUser>, DatabaseError> {
    let words = serde_json::to_string(lookup.words).map_err(DatabaseError::new)?;
    let rows = run(
        directory,
        "WITH matching AS (
            SELECT a.user_id, p.displayname, p.avatar_url, COALESCE(p.folded_name, '') AS name,
                substr(a.user_id, 1, instr(a.user_id, ':') - 1) AS local
            FROM accounts a LEFT JOIN profiles p ON p.user_id = a.user_id
            WHERE a.user_id <> ? AND NOT EXISTS (
                SELECT 1 FROM json_each(?) w
                WHERE instr(COALESCE(p.folded_name, ''), w.value) = 0
                    AND instr(substr(a.user_id, 1, instr(a.user_id, ':') - 1), w.value) = 0)
         ), visible AS (
            SELECT * FROM matching WHERE EXISTS (
                SELECT 1 FROM memberships m
                WHERE m.user_id = matching.user_id AND m.membership = 'join' AND (
                    EXISTS (SELECT 1 FROM open_rooms o WHERE o.room_id = m.room_id AND o.is_open = 1)
                    OR EXISTS (SELECT 1 FROM memberships own
                        WHERE own.user_id = ? AND own.room_id = m.room_id AND own.membership = 'join')))
         )
         SELECT user_id, displayname, avatar_url FROM visible, (SELECT ? AS phrase)
         ORDER BY CASE
                WHEN name = phrase OR local = phrase OR local = '@' || phrase THEN 0
                WHEN instr(name, phrase) = 1 OR instr(local, phrase) = 1 OR instr(local, '@' || phrase) = 1 THEN 1
                WHEN instr(' ' || name, ' ' || phrase) > 0 THEN 2
                ELSE 3 END,
            displayname IS NULL, user_id
         LIMIT ?",
        vec![lookup.searcher.into(), words.into(), lookup.searcher.into(), lookup.phrase.into(), lookup.limit.into()],
    )
    .await?;
    rows.iter()
        .map(|row| {
            Ok(FoundUser {
                user_id: row.text(0)?,
                displayname: row.optional_text(1)?,
                avatar_url: row.optional_text(2)?,
            })
        })
        .collect()
}
