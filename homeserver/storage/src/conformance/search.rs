//! The cases of the full-text index.

use super::{Check, Outcome, ensure_equal};
use crate::{
    database::DatabaseError,
    directory::{Directory, Statement, run},
    room::LIVE,
    search::{self, Field, LAST_PLACE, Lookup, Place, Text},
};

const ROOM: &str = "!conformance:of.the.index";
const OTHER: &str = "!the.other.one:of.the.index";

/// Runs all cases of `SEARCH`. They make rooms of their own and remove them in the end.
pub async fn search(search: &dyn Directory) -> Vec<Outcome> {
    let mut outcomes = vec![
        Outcome::of("SEARCH: texts are found by their words, newest first", order(search).await),
        Outcome::of("SEARCH: pages go on after the last hit", pages(search).await),
        Outcome::of("SEARCH: rooms, places, senders and fields are kept to", limits(search).await),
        Outcome::of("SEARCH: what was removed stays out of a late batch", late_batch(search).await),
        Outcome::of("SEARCH: what is indexed again is found once, by its new text", replaced(search).await),
    ];
    outcomes.push(Outcome::of("SEARCH: nothing is left behind", clear(search).await.map_err(Into::into)));
    outcomes
}

async fn clear(search: &dyn Directory) -> Result<(), DatabaseError> {
    let (texts, rooms) = (
        "DELETE FROM texts WHERE rowid IN (SELECT t.rowid FROM texts t JOIN indexed_rooms r ON r.number = t.rowid / 8589934592 WHERE r.room_id = ?)",
        "DELETE FROM indexed_rooms WHERE room_id = ?",
    );
    let statements = [ROOM, OTHER]
        .into_iter()
        .flat_map(|room| [Statement::new(texts, vec![room.into()]), Statement::new(rooms, vec![room.into()])]);
    search.batch(statements.collect()).await?;
    Ok(())
}

fn text(position: i64, text: &str) -> Text {
    Text {
        order_key: LIVE + position,
        field: Field::Body,
        text: text.to_owned(),
        sender: "@a:x".to_owned(),
        ts: 1_700_000_000_000 + position,
    }
}

async fn index(search: &dyn Directory, room: &str, texts: &[Text], through: i64) -> Result<(), DatabaseError> {
    let mut batch = vec![search::admit(room)];
    batch.extend(texts.iter().filter_map(|text| search::put_text(room, text, through)));
    batch.push(search::put_position(room, through));
    search.batch(batch).await?;
    Ok(())
}

const ROOMS: [(&str, i64); 1] = [(ROOM, LAST_PLACE)];

fn lookup(query: &str) -> Lookup<'_> {
    Lookup { query, rooms: &ROOMS, senders: None, not_senders: Vec::new(), after: None, limit: 10 }
}

async fn found(search: &dyn Directory, lookup: &Lookup<'_>) -> Result<Vec<i64>, DatabaseError> {
    let hits = search::find(search, lookup).await?;
    Ok(hits.into_iter().map(|hit| hit.order_key - LIVE).collect())
}

async fn order(search: &dyn Directory) -> Check {
    clear(search).await?;
    let older = Text { ts: 1, ..text(3, "a needle and thread") };
    index(search, ROOM, &[text(1, "needle needle"), text(2, "the needle"), older, text(4, "thread")], 4).await?;
    ensure_equal(&found(search, &lookup("\"needle\"")).await?, &vec![2, 1, 3])?;
    ensure_equal(&found(search, &lookup("{body} : (\"thread\" \"needle\")")).await?, &vec![3])?;
    ensure_equal(&found(search, &lookup("\"needle and\"")).await?, &vec![3])?;
    ensure_equal(&found(search, &lookup("\"nee\" *")).await?, &vec![2, 1, 3])
}

async fn pages(search: &dyn Directory) -> Check {
    clear(search).await?;
    let texts: Vec<Text> = (1..=5).map(|position| Text { ts: 7, ..text(position, "needle") }).collect();
    index(search, ROOM, &texts, 5).await?;
    let mut after: Option<Place> = None;
    let mut all = Vec::new();
    for _ in 0..4 {
        let page = search::find(search, &Lookup { after, limit: 2, ..lookup("\"needle\"") }).await?;
        after = page.last().map(|hit| hit.place).or(after);
        all.extend(page.into_iter().map(|hit| hit.order_key - LIVE));
    }
    ensure_equal(&all, &vec![5, 4, 3, 2, 1])
}

async fn limits(search: &dyn Directory) -> Check {
    clear(search).await?;
    let by_other = Text { sender: "@b:x".to_owned(), ..text(2, "needle") };
    let topic = Text { field: Field::Topic, ..text(3, "needle") };
    let imported = Text { ts: 1, ..text(-5, "needle") };
    index(search, ROOM, &[imported, text(1, "needle"), by_other, topic], 3).await?;
    index(search, OTHER, &[text(4, "needle")], 4).await?;
    ensure_equal(&found(search, &lookup("\"needle\"")).await?, &vec![3, 2, 1, -5])?;
    ensure_equal(&found(search, &lookup("{body} : (\"needle\")")).await?, &vec![2, 1, -5])?;
    let until = search::place_of(LIVE + 1).unwrap_or_default();
    let rooms = [(ROOM, until), ("!unknown:x", LAST_PLACE)];
    ensure_equal(&found(search, &Lookup { rooms: &rooms, ..lookup("\"needle\"") }).await?, &vec![1, -5])?;
    let senders = Some(vec!["@b:x"]);
    ensure_equal(&found(search, &Lookup { senders, ..lookup("\"needle\"") }).await?, &vec![2])?;
    let not_senders = vec!["@a:x", "@c:x"];
    ensure_equal(&found(search, &Lookup { not_senders, ..lookup("\"needle\"") }).await?, &vec![2])?;
    let mut positions = search::positions(search, &[ROOM, OTHER, "!unknown:x"]).await?;
    positions.sort();
    ensure_equal(&positions, &vec![(ROOM.to_owned(), 3), (OTHER.to_owned(), 4)])
}

async fn late_batch(search: &dyn Directory) -> Check {
    clear(search).await?;
    index(search, ROOM, &[text(1, "needle")], 1).await?;
    let remove: Vec<Statement> = search::remove_text(ROOM, LIVE + 1).into_iter().collect();
    search.batch(remove).await?;
    ensure_equal(&found(search, &lookup("\"needle\"")).await?, &vec![])?;
    index(search, ROOM, &[text(1, "needle")], 1).await?;
    ensure_equal(&found(search, &lookup("\"needle\"")).await?, &vec![])?;
    ensure_equal(&search::position(search, ROOM).await?, &1)
}

async fn replaced(search: &dyn Directory) -> Check {
    clear(search).await?;
    index(search, ROOM, &[text(1, "needle")], 1).await?;
    search::forget_position(search, ROOM).await?;
    index(search, ROOM, &[text(1, "thread")], 1).await?;
    ensure_equal(&found(search, &lookup("\"needle\"")).await?, &vec![])?;
    ensure_equal(&found(search, &lookup("\"thread\"")).await?, &vec![1])?;
    let rows = run(search, "SELECT COUNT(*) AS n FROM indexed_rooms WHERE room_id = ?", vec![ROOM.into()]).await?;
    ensure_equal(&rows.first().map(|row| row.integer(0)).transpose()?, &Some(1))
}
