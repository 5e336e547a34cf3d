//! The bridge: from Slack's event to the owner's `/sync`, from an answer to Slack, and a burst.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::figures::{Figure, Target, cost_of, milliseconds};
use crate::load::{
    device::Device,
    stage::{CHANNEL, Stage},
    user::text,
};

const PEOPLE: [&str; 5] = ["ana", "bjorn", "chidi", "dana", "emi"];
const BURST: usize = 1_000;
/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Schedules of `wrangler.toml`.
const OFTEN: &str = "*/5 * * * *";

fn person(number: usize) -> &'static str {
    PEOPLE.get(number % PEOPLE.len()).copied().unwrap_or("ana")
}

/// From the moment at which somebody writes at Slack to the answer of the owner's `/sync` that waited for it.
pub(super) fn to_sync(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut owner = stage.owner_session()?;
    let mut control = stage.slack.control();
    // All five are known and joined.
    for number in 0..PEOPLE.len() {
        control.post("messages", &json!({"channel": CHANNEL, "user": person(number), "text": "warm-up"}))?;
    }
    thread::sleep(Duration::from_secs(1));
    let mut since = owner.position()?;
    let count = 100;
    let mut samples = Vec::new();
    let mut meter = stage.meter();
    let ((), cost) = cost_of(&mut meter, || {
        for number in 0..count {
            let marker = format!("wake {number} of Slack");
            let (mut poll, wanted, mut from) = (owner.again(), marker.clone(), since.clone());
            let polling = thread::spawn(move || -> Result<(Instant, String)> {
                let until = Instant::now() + PATIENCE;
                while Instant::now() < until {
                    let reply = poll.sync(Some(&from), None, 30_000)?;
                    let at = Instant::now();
                    let found = String::from_utf8_lossy(&reply.body).contains(&wanted);
                    from = text(&reply.success("sync")?, "/next_batch")?;
                    if found {
                        return Ok((at, from));
                    }
                }
                bail!("a message did not arrive within {} s", PATIENCE.as_secs())
            });
            thread::sleep(Duration::from_millis(40));
            let started = Instant::now();
            control.post("messages", &json!({"channel": CHANNEL, "user": person(number), "text": marker}))?;
            let (at, next) = polling.join().map_err(|_| anyhow!("the poll panicked"))??;
            since = next;
            samples.push(milliseconds(at - started));
        }
        Ok(())
    })?;
    let figure = Figure::of_times("Slack to sync", samples)
        .with_target(Target::MostMs(25.0))
        .with_all(cost, count)
        .remarking("operations of the event and of the poll");
    Ok(vec![figure])
}

/// From the start of the owner's `PUT …/send` to the message in Slack.
pub(super) fn answer(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut owner = stage.owner_session()?;
    let bridged = stage.bridged()?;
    let pace = json!({"login_id": bridged.login_id, "per_second": 1_000});
    stage.server.admin().post("slack/pace", &pace)?;
    let mut control = stage.slack.control();
    let room = bridged.room;
    let count = 50;
    let mut samples = Vec::new();
    let mut meter = stage.meter();
    let ((), cost) = cost_of(&mut meter, || {
        for number in 0..count {
            let marker = format!("answer {number} from Matrix");
            let started = Instant::now();
            owner.send_text(&room, &format!("answer{number}"), &marker)?;
            let wanted = json!({"channel": CHANNEL, "from": "app", "text": marker, "timeout_ms": 30_000});
            let found = control.post("wait_messages", &wanted)?;
            ensure!(found.get("reached") == Some(&Value::Bool(true)), "an answer did not reach Slack");
            samples.push(milliseconds(started.elapsed()));
        }
        Ok(())
    })?;
    let figure = Figure::of_times("answer to Slack", samples)
        .with_all(cost, count)
        .remarking("the fake looks every 20 ms; operations of send, post and echo");
    Ok(vec![figure])
}

/// 1,000 events at once: until all are in the owner's `/sync`.
pub(super) fn burst(stage: &mut Stage) -> Result<Vec<Figure>> {
    let filter = json!({"room": {"timeline": {"limit": 50}}}).to_string();
    let bridged = stage.bridged()?;
    let mut device = Device::new(stage.owner_session()?, &bridged.room, Some(filter));
    device.poll(0)?;
    let messages: Vec<Value> = (0..BURST)
        .map(|number| json!({"channel": CHANNEL, "user": person(number), "text": format!("burst {number} of many")}))
        .collect();
    let mut control = stage.slack.control();
    let mut meter = stage.meter();
    let ((took, acknowledged), cost) = cost_of(&mut meter, || {
        let started = Instant::now();
        let writing = thread::spawn(move || -> Result<Duration> {
            control
                .post("messages", &json!({"messages": messages, "parallel": 32, "wait": true, "timeout_ms": 55_000}))?;
            Ok(started.elapsed())
        });
        let mut last = started;
        while in_timeline(&device) < BURST {
            if device.poll(5_000)? > 0 {
                last = Instant::now();
            }
            if last.elapsed() > PATIENCE {
                bail!("only {} of {BURST} events arrived", in_timeline(&device));
            }
        }
        let acknowledged = writing.join().map_err(|_| anyhow!("the writer panicked"))??;
        Ok((last - started, acknowledged))
    })?;
    let rate = |took: Duration| Figure::of_rate("Slack burst", BURST, took);
    let acknowledged = rate(acknowledged).per_second.context("no rate")?;
    let figure = rate(took).with_target(Target::LeastPerSecond(150.0)).with_all(cost, BURST);
    Ok(vec![figure.remarking(format!("acknowledged at {acknowledged:.0}/s; {} gaps paged", device.gaps))])
}

fn in_timeline(device: &Device) -> usize {
    device.timeline.iter().filter(|seen| seen.body.starts_with("burst ")).count()
}

/// A tick of the frequent cron, with nothing to do.
pub(super) fn cron(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut meter = stage.meter();
    let mut samples = Vec::new();
    let count = 5;
    let ((), cost) = cost_of(&mut meter, || {
        for _ in 0..count {
            let started = Instant::now();
            stage.server.tick(OFTEN)?;
            samples.push(milliseconds(started.elapsed()));
        }
        Ok(())
    })?;
    Ok(vec![Figure::of_times("cron", samples).with_all(cost, count)])
}
