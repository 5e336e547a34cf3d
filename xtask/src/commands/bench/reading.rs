//! What reads: the first `/sync` of many rooms, one with nothing new, paging through a long room.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    figures::{Figure, Target, bill_of, cost_of, float, times},
    rooms::{at_once, room_of_two},
};
use crate::load::{
    stage::Stage,
    user::{encoded, messages_path, sync_path, text},
};

const ROOMS: usize = 100;
const MESSAGES: usize = 20;
const LONG_ROOM: usize = 2_000;

/// The first `/sync` of 100 rooms with 20 messages each, with lazy loading as Element asks for it and without a filter; then
/// those with nothing new.
pub(super) fn sync(stage: &mut Stage) -> Result<Vec<Figure>> {
    let (mut writer, mut reader) = (stage.user("sync-writer")?, stage.user("sync-reader")?);
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(room_of_two(&mut writer, &mut reader)?);
    }
    for some in rooms.chunks(16) {
        at_once(&writer, some, "fill", MESSAGES)?;
    }
    let since = reader.position()?;
    let timeline = json!({"limit": MESSAGES});
    let lazy = json!({"room": {"state": {"lazy_load_members": true}, "timeline": timeline}}).to_string();
    let admin_token = stage.server.identity.admin_token.clone();
    let mut figures = Vec::new();
    for (name, filter) in [("sync, initial, lazy", Some(lazy.as_str())), ("sync, initial, no filter", None)] {
        let mut bytes = 0;
        let samples = times(15, |_| {
            let reply = reader.sync(None, filter, 0)?;
            ensure!(reply.status == 200, "sync: {}", reply.status);
            bytes = reply.body.len();
            Ok(())
        })?;
        let billed = reader.billed("GET", &sync_path(None, filter, 0), "", &admin_token)?;
        let events = events_in(&billed.json()?);
        let figure = Figure::of_times(name, samples)
            .with_target(Target::MostMs(200.0))
            .with_own(bill_of(&billed)?)
            .remarking(format!("{} KB, {events} timeline events", bytes / 1_000));
        figures.push(figure);
    }
    let mut meter = stage.meter();
    let idle = |reader: &mut crate::load::user::User| -> Result<()> {
        let reply = reader.sync(Some(&since), Some(&lazy), 0)?;
        ensure!(reply.status == 200, "sync: {}", reply.status);
        Ok(())
    };
    idle(&mut reader)?;
    let (samples, cost) = cost_of(&mut meter, || times(300, |_| idle(&mut reader)))?;
    let billed = reader.billed("GET", &sync_path(Some(&since), Some(&lazy), 0), "", &admin_token)?;
    let count = samples.len();
    let figure = Figure::of_times("sync, idle", samples)
        .with_target(Target::MostMs(3.0))
        .with_own(bill_of(&billed)?)
        .with_all(cost, count)
        .remarking(format!("{ROOMS} rooms"));
    figures.push(figure);
    Ok(figures)
}

fn events_in(answer: &Value) -> usize {
    let rooms = answer.pointer("/rooms/join").and_then(Value::as_object);
    let events = rooms.into_iter().flat_map(|rooms| rooms.values());
    events.filter_map(|room| room.pointer("/timeline/events")?.as_array()).map(Vec::len).sum()
}

/// `/messages` through a room of 2,000, 100 a page.
pub(super) fn messages(stage: &mut Stage) -> Result<Vec<Figure>> {
    let (mut writer, mut reader) = (stage.user("page-writer")?, stage.user("page-reader")?);
    let room = room_of_two(&mut writer, &mut reader)?;
    at_once(&writer, &vec![room.clone(); 16], "fill", LONG_ROOM / 16)?;
    let admin_token = stage.server.identity.admin_token.clone();
    let (mut pages, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (mut from, mut seen) = (None::<String>, 0);
        let mut walk = Vec::new();
        loop {
            let mut end = None;
            walk.extend(times(1, |_| {
                let page = reader.messages(&room, from.as_deref(), 100)?;
                seen += page.get("chunk").and_then(Value::as_array).map_or(0, Vec::len);
                end = text(&page, "/end").ok();
                Ok(())
            })?);
            if end.is_none() {
                break;
            }
            from = end;
        }
        ensure!(seen >= LONG_ROOM, "paging found {seen} events of {LONG_ROOM}");
        whole.push(walk.iter().sum());
        pages.extend(walk);
    }
    let billed = reader.billed("GET", &messages_path(&room, None, 100), "", &admin_token)?;
    let next = text(&billed.json()?, "/end").context("a long room ends at its first page")?;
    ensure!(!encoded(&next).is_empty(), "a page leads nowhere");
    let count = pages.len();
    let rate = float(LONG_ROOM) * 5.0 / (pages.iter().sum::<f64>() / 1_000.0);
    Ok(vec![
        Figure::of_times("messages, a page of 100", pages)
            .with_own(bill_of(&billed)?)
            .remarking(format!("{count} pages, {rate:.0} events/s")),
        Figure::of_times("messages, all 2,000", whole),
    ])
}
