//! The public room directory: which rooms strangers may find, and the lists of appservices'
//! networks.
//!
//! Rooms write their own rows with the archive ([`super::archive::put_room`]). A room is shown only
//! while strangers could enter it or look into it: being listed opens no closed room.

use super::{Directory, Statement, run};
use crate::database::{DatabaseError, Row, Value};

/// A room as the directory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRoom {
    /// The room.
    pub room_id: String,
    /// `m.room.name`.
    pub name: Option<String>,
    /// `m.room.topic`.
    pub topic: Option<String>,
    /// `m.room.canonical_alias`.
    pub canonical_alias: Option<String>,
    /// `m.room.avatar`.
    pub avatar_url: Option<String>,
    /// The type of the create event.
    pub room_type: Option<String>,
    /// The join rule.
    pub join_rule: Option<String>,
    /// Whether anybody may read without joining.
    pub world_readable: bool,
    /// Whether guests may join.
    pub guest_can_join: bool,
    /// Joined members.
    pub joined_members: i64,
}

impl PublicRoom {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            room_id: row.text(0)?,
            name: row.optional_text(1)?,
            topic: row.optional_text(2)?,
            canonical_alias: row.optional_text(3)?,
            avatar_url: row.optional_text(4)?,
            room_type: row.optional_text(5)?,
            join_rule: row.optional_text(6)?,
            world_readable: row.optional_text(7)?.as_deref() == Some("world_readable"),
            guest_can_join: row.optional_text(8)?.as_deref() == Some("can_join"),
            joined_members: row.integer(9)?,
        })
    }
}

/// Which list is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// The server's own.
    Main,
    /// That of one network, `<appservice id>|<network id>`.
    Network(String),
    /// All of them.
    All,
}

/// A place between two rooms of a list, which is ordered by members (most first) and room id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Joined members of the room beside it.
    pub joined_members: i64,
    /// The room beside it.
    pub room_id: String,
}

/// What is asked of a list.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// Which list.
    pub list: &'a List,
    /// Text, in lower case, that name, topic or alias must contain.
    pub term: Option<&'a str>,
    /// The types that a room must have one of; `None` among them stands for ordinary rooms.
    pub room_types: Option<&'a [Option<String>]>,
    /// From where; `None`: the beginning.
    pub from: Option<&'a Place>,
    /// Towards rooms with more members.
    pub backwards: bool,
    /// How many rooms, at most.
    pub limit: u32,
}

/// A stretch of a list, and how many rooms it has in all.
#[derive(Clone, Debug)]
pub struct Found {
    /// The rooms, in the order of the walk (so the last one first when walking backwards).
    pub rooms: Vec<PublicRoom>,
    /// All rooms of the list, whatever was searched for.
    pub total: i64,
}

macro_rules! main_list {
    () => {
        "rooms r WHERE r.listed = 1"
    };
}
macro_rules! network_list {
    () => {
        "network_rooms n JOIN rooms r ON r.room_id = n.room_id WHERE n.network = ?"
    };
}
macro_rules! all_lists {
    () => {
        "rooms r WHERE r.room_id IN (SELECT room_id FROM rooms WHERE listed = 1 UNION SELECT room_id FROM network_rooms)"
    };
}
macro_rules! open_to_strangers {
    () => {
        " AND r.joined_members > 0 AND (r.join_rule IN ('public', 'knock', 'knock_restricted') OR r.history_visibility = 'world_readable')"
    };
}
macro_rules! select {
    ($list:expr, $rest:expr) => {
        concat!(
            "SELECT r.room_id, r.name, r.topic, r.canonical_alias, r.avatar_url, r.room_type, r.join_rule, r.history_visibility, r.guest_access, r.joined_members FROM ",
            $list,
            open_to_strangers!(),
            " AND (? IS NULL OR instr(r.search, ?) > 0)",
            " AND (? IS NULL OR EXISTS (SELECT 1 FROM json_each(?) t WHERE t.value IS r.room_type))",
            $rest
        )
    };
}
macro_rules! forwards {
    () => {
        " AND (? IS NULL OR r.joined_members < ? OR (r.joined_members = ? AND r.room_id > ?)) ORDER BY r.joined_members DESC, r.room_id LIMIT ?"
    };
}
macro_rules! backwards {
    () => {
        " AND (? IS NULL OR r.joined_members > ? OR (r.joined_members = ? AND r.room_id < ?)) ORDER BY r.joined_members, r.room_id DESC LIMIT ?"
    };
}
macro_rules! count {
    ($list:expr) => {
        concat!("SELECT COUNT(*) FROM ", $list, open_to_strangers!())
    };
}

/// Reads a stretch of a list; one trip.
pub async fn search(directory: &dyn Directory, search: &Search<'_>) -> Result<Found, DatabaseError> {
    let (sql, count) = match (search.list, search.backwards) {
        (List::Main, false) => (select!(main_list!(), forwards!()), count!(main_list!())),
        (List::Main, true) => (select!(main_list!(), backwards!()), count!(main_list!())),
        (List::Network(_), false) => (select!(network_list!(), forwards!()), count!(network_list!())),
        (List::Network(_), true) => (select!(network_list!(), backwards!()), count!(network_list!())),
        (List::All, false) => (select!(all_lists!(), forwards!()), count!(all_lists!())),
        (List::All, true) => (select!(all_lists!(), backwards!()), count!(all_lists!())),
    };
    let network: Vec<Value> = match search.list {
        List::Network(network) => vec![network.into()],
        List::Main | List::All => Vec::new(),
    };
    let types = search.room_types.map(serde_json::to_string).transpose().map_err(DatabaseError::new)?;
    let members = search.from.map(|from| from.joined_members);
    let mut params = network.clone();
    params.extend([
        search.term.into(),
        search.term.into(),
        types.clone().into(),
        types.into(),
        members.into(),
        members.into(),
        members.into(),
        search.from.map(|from| from.room_id.as_str()).into(),
        search.limit.into(),
    ]);
    let results = directory.batch(vec![Statement::new(sql, params), Statement::new(count, network)]).await?;
    let rows = results.first().map(Vec::as_slice).unwrap_or_default();
    let total = results.get(1).and_then(|rows| rows.first());
    Ok(Found {
        rooms: rows.iter().map(PublicRoom::from_row).collect::<Result<_, _>>()?,
        total: total.map_or(Ok(0), |row| row.integer(0))?,
    })
}

/// Whether a room is listed in the server's own directory; `None` when there is no such room.
pub async fn is_listed(directory: &dyn Directory, room_id: &str) -> Result<Option<bool>, DatabaseError> {
    let rows = run(directory, "SELECT listed FROM rooms WHERE room_id = ?", vec![room_id.into()]).await?;
    rows.first().map(|row| row.flag(0)).transpose()
}

/// Lists a room under a network, or takes it off that list.
pub async fn set_network(
    directory: &dyn Directory,
    network: &str,
    room_id: &str,
    listed: bool,
) -> Result<(), DatabaseError> {
    let sql = if listed {
        "INSERT INTO network_rooms (network, room_id) VALUES (?, ?) ON CONFLICT (network, room_id) DO NOTHING"
    } else {
        "DELETE FROM network_rooms WHERE network = ? AND room_id = ?"
    };
    run(directory, sql, vec![network.into(), room_id.into()]).await?;
    Ok(())
}

/// Lists a room wherever networks listed the one that it replaces, which leaves those lists.
pub async fn move_networks(directory: &dyn Directory, from: &str, to: &str) -> Result<(), DatabaseError> {
    let copy = Statement::new(
        "INSERT INTO network_rooms (network, room_id) SELECT network, ? FROM network_rooms WHERE room_id = ? ON CONFLICT (network, room_id) DO NOTHING",
        vec![to.into(), from.into()],
    );
    let delete = Statement::new("DELETE FROM network_rooms WHERE room_id = ?", vec![from.into()]);
    directory.batch(vec![copy, delete]).await?;
    Ok(())
}
