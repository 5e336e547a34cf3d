//! What writes: sends one after the other and 16 at once, the wake of a waiting client, new rooms.

use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::figures::{Figure, Target, bill_of, cost_of, milliseconds, times};
use crate::load::{
    stage::Stage,
    user::{User, text, text_message},
};

/// How many connections send at once.
const AT_ONCE: usize = 16;

/// A room of two, as a private chat is.
pub(super) fn room_of_two(writer: &mut User, reader: &mut User) -> Result<String> {
    let room = writer.create_room(&json!({"preset": "public_chat", "name": "bench"}))?;
    reader.join(&room)?;
    Ok(room)
}

/// `PUT …/send`, one after the other, into a room of two.
pub(super) fn send(stage: &mut Stage) -> Result<Vec<Figure>> {
    let (mut writer, mut reader) = (stage.user("send-writer")?, stage.user("send-reader")?);
    let room = room_of_two(&mut writer, &mut reader)?;
    for number in 0..30 {
        writer.send_text(&room, &format!("warm{number}"), "warm-up")?;
    }
    let mut meter = stage.meter();
    let (samples, cost) = cost_of(&mut meter, || {
        times(300, |number| {
            writer.send_text(&room, &format!("send{number}"), "A message of the usual length").map(drop)
        })
    })?;
    let (path, content) = text_message(&room, "billed", "A message of the usual length");
    let billed = writer.billed("PUT", &path, &content, &stage.server.identity.admin_token)?;
    let count = samples.len();
    let took = Duration::from_secs_f64(samples.iter().sum::<f64>() / 1_000.0);
    let figure = Figure::of_times("send", samples)
        .at_rate(count, took)
        .with_target(Target::MostMs(6.0))
        .with_own(bill_of(&billed)?)
        .with_all(cost, count);
    Ok(vec![figure])
}

/// 16 connections that send at once: into one room, and each into its own.
pub(super) fn send_16_way(stage: &mut Stage) -> Result<Vec<Figure>> {
    let (mut writer, mut reader) = (stage.user("many-writer")?, stage.user("many-reader")?);
    let mut rooms = Vec::new();
    for _ in 0..AT_ONCE {
        rooms.push(room_of_two(&mut writer, &mut reader)?);
    }
    let first = rooms.first().context("no room")?.clone();
    at_once(&writer, &vec![first.clone(); AT_ONCE], "warm", 10)?;
    let each = 60;
    let mut figures = Vec::new();
    for (name, rooms) in [("send 16-way, one room", vec![first; AT_ONCE]), ("send 16-way, 16 rooms", rooms)] {
        let mut meter = stage.meter();
        let ((samples, took), cost) = cost_of(&mut meter, || at_once(&writer, &rooms, name, each))?;
        let count = samples.len();
        let figure = Figure::of_times(name, samples)
            .at_rate(count, took)
            .with_target(Target::LeastPerSecond(300.0))
            .with_all(cost, count);
        figures.push(figure);
    }
    Ok(figures)
}

/// Each connection sends `each` messages into its room; returns the times and how long all took.
pub(super) fn at_once(writer: &User, rooms: &[String], name: &str, each: usize) -> Result<(Vec<f64>, Duration)> {
    let name = name.replace(' ', "-");
    side_by_side(writer, rooms.len(), |writer, thread| {
        let room = rooms.get(thread).context("a thread without a room")?;
        times(each, |number| writer.send_text(room, &format!("{name}-{thread}-{number}"), "One of many").map(drop))
    })
}

/// Does one thing `count` times over 16 connections.
pub(super) fn each_at_once(
    user: &User,
    count: usize,
    work: impl Fn(&mut User, usize) -> Result<()> + Sync,
) -> Result<()> {
    side_by_side(user, AT_ONCE, |user, thread| {
        (thread..count).step_by(AT_ONCE).try_for_each(|number| work(user, number)).map(|()| Vec::new())
    })?;
    Ok(())
}

/// Runs `work` over so many connections; returns all samples and how long all took.
fn side_by_side(
    user: &User,
    connections: usize,
    work: impl Fn(&mut User, usize) -> Result<Vec<f64>> + Sync,
) -> Result<(Vec<f64>, Duration)> {
    let all = Mutex::new(Vec::new());
    let started = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|thread| {
                let (all, work) = (&all, &work);
                let mut user = user.again();
                scope.spawn(move || -> Result<()> {
                    let samples = work(&mut user, thread)?;
                    all.lock().map_err(|_| anyhow!("a thread panicked"))?.extend(samples);
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
    })?;
    let took = started.elapsed();
    Ok((all.into_inner().map_err(|_| anyhow!("a thread panicked"))?, took))
}

/// From the start of a `PUT …/send` to the answer of another user's `/sync` that waited for it.
pub(super) fn wake(stage: &mut Stage) -> Result<Vec<Figure>> {
    let (mut writer, mut reader) = (stage.user("wake-writer")?, stage.user("wake-reader")?);
    let room = room_of_two(&mut writer, &mut reader)?;
    writer.send_text(&room, "first", "warm-up")?;
    let mut since = reader.position()?;
    let (mut woken, mut after_answer) = (Vec::new(), Vec::new());
    let count = 150;
    let mut meter = stage.meter();
    let ((), cost) = cost_of(&mut meter, || {
        for number in 0..count {
            let mut poll = reader.again();
            let waiting = since.clone();
            let polling = thread::spawn(move || {
                let answer = poll.sync(Some(&waiting), None, 30_000);
                (answer, Instant::now())
            });
            // Long enough for the poll to be parked.
            thread::sleep(Duration::from_millis(40));
            let started = Instant::now();
            writer.send_text(&room, &format!("wake{number}"), "Wake up")?;
            let answered = Instant::now();
            let (answer, at) = polling.join().map_err(|_| anyhow!("the poll panicked"))?;
            let answer = answer?.success("sync")?;
            answer.pointer("/rooms/join").context("the poll ended without the message")?;
            since = text(&answer, "/next_batch")?;
            if number >= 10 {
                woken.push(milliseconds(at - started));
                after_answer.push(milliseconds(at.saturating_duration_since(answered)));
            }
        }
        Ok(())
    })?;
    Ok(vec![
        Figure::of_times("wake", woken)
            .with_target(Target::MostMs(12.0))
            .with_all(cost, count)
            .remarking("from the start of the send; operations of send and poll"),
        Figure::of_times("wake after the answer", after_answer).remarking("from the sender's answer"),
    ])
}

/// `POST /createRoom`
pub(super) fn create_room(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut user = stage.user("room-maker")?;
    let body = json!({"preset": "private_chat", "name": "A room", "topic": "What a client sets"}).to_string();
    user.request("POST", "/createRoom", &body)?.success("createRoom")?;
    let mut meter = stage.meter();
    let (samples, cost) = cost_of(&mut meter, || {
        times(40, |_| user.request("POST", "/createRoom", &body)?.success("createRoom").map(drop))
    })?;
    let billed = user.billed("POST", "/createRoom", &body, &stage.server.identity.admin_token)?;
    let count = samples.len();
    let figure = Figure::of_times("createRoom", samples)
        .with_target(Target::MostMs(40.0))
        .with_own(bill_of(&billed)?)
        .with_all(cost, count);
    Ok(vec![figure])
}
