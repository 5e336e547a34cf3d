//! What must not grow with what there is: the members of a large room, a space of many rooms, a search in many events.
//!
//! The operations count: a page costs what it shows.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    figures::{Figure, bill_of, times},
    rooms::{at_once, each_at_once, room_of_two},
};
use crate::{
    load::{
        connection::{Call, Reply},
        stage::Stage,
        user::User,
    },
    progress::note,
};

const MEMBERS: usize = 10_000;
const ROOMS: usize = 100;
/// The most rooms that a page of a hierarchy has.
const LARGEST_PAGE: usize = 50;
/// How many rooms the events are spread over, each filled over a connection of its own.
const SEARCHED: usize = 16;

fn get(user: &mut User, path: &str, bill: Option<&str>) -> Result<Reply> {
    let token = user.token.clone();
    user.connection.send(&Call { bill, ..Call::get(path).with_token(&token) })
}

/// How many entries the list at `pointer` has.
fn count_at(answer: &Value, pointer: &str) -> usize {
    answer.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len)
}

/// `GET …/members` of a room with 10,000 members, all but one of them banned: a ban needs no account, and is a member event
/// as any other.
pub(super) fn members(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut user = stage.user("members")?;
    let room = user.create_room(&json!({"preset": "private_chat"}))?;
    each_at_once(&user, MEMBERS - 1, |user, number| {
        // No `POST …/ban`: what is put may be sent again over a new connection where the server closed one.
        let path = format!("/rooms/{room}/state/m.room.member/@member{number}:elsewhere.example");
        user.request("PUT", &path, r#"{"membership":"ban"}"#)?.success("ban").map(drop)
    })?;
    let path = format!("/_matrix/client/v3/rooms/{room}/members");
    let mut bytes = 0;
    let samples = times(10, |_| {
        let reply = get(&mut user, &path, None)?;
        bytes = reply.body.len();
        ensure!(count_at(&reply.success("members")?, "/chunk") == MEMBERS, "members are missing");
        Ok(())
    })?;
    let billed = get(&mut user, &path, Some(&stage.server.identity.admin_token))?;
    let figure = Figure::of_times("members of 10,000", samples).with_own(bill_of(&billed)?);
    Ok(vec![figure.remarking(format!("{} KB", bytes / 1_000))])
}

/// `GET …/hierarchy` of a space of 100 rooms: a small page, the largest, and all of them by pages.
pub(super) fn hierarchy(stage: &mut Stage) -> Result<Vec<Figure>> {
    let (mut owner, mut reader) = (stage.user("space-owner")?, stage.user("space-reader")?);
    let space = owner.create_room(&json!({"preset": "public_chat", "creation_content": {"type": "m.space"}}))?;
    reader.join(&space)?;
    for number in 1..ROOMS {
        let room = owner.create_room(&json!({"preset": "public_chat", "name": format!("Room {number}")}))?;
        let link = json!({"via": ["hub.example"]}).to_string();
        owner.request("PUT", &format!("/rooms/{space}/state/m.space.child/{room}"), &link)?.success("link")?;
    }
    let mut figures = Vec::new();
    for page in [10, LARGEST_PAGE] {
        let path = format!("/_matrix/client/v1/rooms/{space}/hierarchy?limit={page}");
        let samples = times(15, |_| {
            let answer = get(&mut reader, &path, None)?.success("hierarchy")?;
            ensure!(count_at(&answer, "/rooms") == page, "rooms are missing");
            Ok(())
        })?;
        let billed = get(&mut reader, &path, Some(&stage.server.identity.admin_token))?;
        let name = format!("hierarchy, {page} of {ROOMS} rooms");
        figures.push(Figure::of_times(&name, samples).with_own(bill_of(&billed)?));
    }
    let samples = times(15, |_| {
        ensure!(count_hierarchy(&mut reader, &space)? == ROOMS, "rooms are missing");
        Ok(())
    })?;
    figures.push(Figure::of_times(&format!("hierarchy, all {ROOMS} rooms"), samples));
    Ok(figures)
}

/// How many rooms all pages of a hierarchy have.
fn count_hierarchy(reader: &mut User, space: &str) -> Result<usize> {
    let (mut rooms, mut from) = (0, String::new());
    loop {
        let answer = get(reader, &format!("/_matrix/client/v1/rooms/{space}/hierarchy{from}"), None)?;
        let answer = answer.success("hierarchy")?;
        rooms += count_at(&answer, "/rooms");
        match answer.get("next_batch").and_then(Value::as_str) {
            Some(next) => from = format!("?from={next}"),
            None => return Ok(rooms),
        }
    }
}

/// `POST /search` in so many messages, for a word that one of them has and for one that all have.
pub(super) fn search(stage: &mut Stage, events: usize) -> Result<Vec<Figure>> {
    let (mut writer, mut reader) = (stage.user("search-writer")?, stage.user("search-reader")?);
    let mut rooms = Vec::new();
    for _ in 0..SEARCHED {
        rooms.push(room_of_two(&mut writer, &mut reader)?);
    }
    writer.send_text(rooms.first().context("no room")?, "needle", "A needle in a haystack")?;
    let started = std::time::Instant::now();
    at_once(&writer, &rooms, "hay", events / SEARCHED)?;
    note(format_args!("{events} messages were sent in {} s", started.elapsed().as_secs()));
    let mut figures = Vec::new();
    for (name, term) in [(format!("search, one of {events}"), "needle"), (format!("search, {events} hits"), "many")] {
        let body = search_for(term);
        // The first one may wait for the index.
        for _ in 0..30 {
            if reader.request("POST", "/search", &body)?.success("search")?.get("com.hubbub.incomplete").is_none() {
                break;
            }
        }
        let mut shown = 0;
        let samples = times(15, |_| {
            let answer = reader.request("POST", "/search", &body)?.success("search")?;
            shown = count_at(&answer, "/search_categories/room_events/results");
            ensure!(shown > 0, "nothing is found");
            Ok(())
        })?;
        let billed = reader.billed("POST", "/search", &body, &stage.server.identity.admin_token)?;
        let figure = Figure::of_times(&name, samples).with_own(bill_of(&billed)?);
        figures.push(figure.remarking(format!("{shown} shown")));
    }
    Ok(figures)
}

fn search_for(term: &str) -> String {
    let events = json!({"search_term": term, "order_by": "recent", "filter": {"limit": 10}});
    json!({"search_categories": {"room_events": events}}).to_string()
}
