//! What clients that encrypt ask for: keys of a hundred people, a key of each, a message to each of their devices, and what
//! waits for a device. The server reads none of it, so keys and messages are of the right form and nothing more.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::figures::{Figure, bill_of, cost_of, times};
use crate::load::{
    stage::Stage,
    user::{User, sync_path, text},
};

const PEOPLE: usize = 100;
const RUNS: usize = 15;

/// The keys of a new device: enough one-time keys for every run.
fn upload(user: &mut User) -> Result<()> {
    let device = text(&user.request("GET", "/account/whoami", "")?.success("whoami")?, "/device_id")?;
    let key = |kind: &str| format!("{kind}:{device}");
    let one_time = (0..2 * RUNS).map(|number| {
        let value = json!({"key": "A".repeat(43), "signatures": {&user.id: {key("ed25519"): "B".repeat(86)}}});
        (format!("signed_curve25519:{number:06}"), value)
    });
    let body = json!({
        "device_keys": {
            "user_id": user.id,
            "device_id": device,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {key("curve25519"): "A".repeat(43), key("ed25519"): "A".repeat(43)},
            "signatures": {&user.id: {key("ed25519"): "B".repeat(86)}},
        },
        "one_time_keys": one_time.collect::<Map<_, _>>(),
    });
    user.request("POST", "/keys/upload", &body.to_string())?.success("keys/upload")?;
    Ok(())
}

/// For each of the people the same.
fn for_each(people: &[User], value: &Value) -> Value {
    people.iter().map(|user| (user.id.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn count_at(answer: &Value, pointer: &str) -> usize {
    answer.pointer(pointer).and_then(Value::as_object).map_or(0, Map::len)
}

/// All four of them, among the same hundred people.
pub(super) fn hundred(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let mut user = stage.user(&format!("keys-{number}"))?;
        upload(&mut user)?;
        people.push(user);
    }
    let mut asking = stage.user("keys-asking")?;
    let mut figures = vec![query(stage, &mut asking, &people)?, claim(stage, &mut asking, &people)?];
    figures.push(send(stage, &mut asking, &people)?);
    let reader = people.first_mut().context("nobody is there")?;
    figures.push(sync(stage, &mut asking, reader)?);
    Ok(figures)
}

fn query(stage: &Stage, asking: &mut User, people: &[User]) -> Result<Figure> {
    let body = json!({"device_keys": for_each(people, &json!([]))}).to_string();
    let samples = times(RUNS, |_| {
        let answer = asking.request("POST", "/keys/query", &body)?.success("keys/query")?;
        ensure!(count_at(&answer, "/device_keys") == PEOPLE, "keys are missing");
        Ok(())
    })?;
    let billed = asking.billed("POST", "/keys/query", &body, &stage.server.identity.admin_token)?;
    Ok(Figure::of_times("keys/query, 100 users", samples).with_own(bill_of(&billed)?))
}

fn claim(stage: &Stage, asking: &mut User, people: &[User]) -> Result<Figure> {
    let mut wanted = Map::new();
    let body = json!({"device_keys": for_each(people, &json!([]))}).to_string();
    let shown = asking.request("POST", "/keys/query", &body)?.success("keys/query")?;
    for user in people {
        let devices = shown.pointer("/device_keys").and_then(|keys| keys.get(&user.id)).and_then(Value::as_object);
        let devices = devices.into_iter().flat_map(Map::keys);
        let each = devices.map(|device| (device.clone(), json!("signed_curve25519")));
        wanted.insert(user.id.clone(), each.collect::<Map<_, _>>().into());
    }
    let body = json!({"one_time_keys": wanted}).to_string();
    let samples = times(RUNS, |_| {
        let answer = asking.request("POST", "/keys/claim", &body)?.success("keys/claim")?;
        ensure!(count_at(&answer, "/one_time_keys") == PEOPLE, "somebody has no key left");
        Ok(())
    })?;
    let billed = asking.billed("POST", "/keys/claim", &body, &stage.server.identity.admin_token)?;
    Ok(Figure::of_times("keys/claim, 100 devices", samples).with_own(bill_of(&billed)?))
}

fn send(stage: &Stage, asking: &mut User, people: &[User]) -> Result<Figure> {
    let content = json!({"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": "C".repeat(1_000)});
    let body = json!({"messages": for_each(people, &json!({"*": content}))}).to_string();
    let mut run = |name: &str, number: usize| {
        let path = format!("/sendToDevice/m.room.encrypted/{name}{number}");
        asking.request("PUT", &path, &body)?.success("sendToDevice").map(drop)
    };
    let mut meter = stage.meter();
    run("first", 0)?;
    let (samples, cost) = cost_of(&mut meter, || times(RUNS, |number| run("bench", number)))?;
    let billed =
        asking.billed("PUT", "/sendToDevice/m.room.encrypted/billed", &body, &stage.server.identity.admin_token)?;
    let figure = Figure::of_times("sendToDevice, 100 devices", samples).with_own(bill_of(&billed)?);
    Ok(figure.with_all(cost, RUNS).remarking("until it is acknowledged; all: until it has arrived everywhere"))
}

/// A `/sync` that shows 100 messages, again and again: without the next token they stay.
fn sync(stage: &Stage, asking: &mut User, reader: &mut User) -> Result<Figure> {
    stage.meter().settled()?;
    let first = reader.sync(None, None, 0)?.success("sync")?;
    let since = text(&first, "/next_batch")?;
    for number in 0..PEOPLE {
        let content = json!({"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": "C".repeat(1_000)});
        let body = json!({"messages": {&reader.id: {"*": content}}}).to_string();
        let path = format!("/sendToDevice/m.room.encrypted/waiting{number}");
        asking.request("PUT", &path, &body)?.success("sendToDevice")?;
    }
    stage.meter().settled()?;
    let mut bytes = 0;
    let samples = times(RUNS, |_| {
        let reply = reader.sync(Some(&since), None, 0)?;
        bytes = reply.body.len();
        let answer = reply.success("sync")?;
        let shown = answer.pointer("/to_device/events").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(shown == PEOPLE, "{shown} messages were shown");
        Ok(())
    })?;
    let billed = reader.billed("GET", &sync_path(Some(&since), None, 0), "", &stage.server.identity.admin_token)?;
    let figure = Figure::of_times("sync, 100 messages to the device", samples).with_own(bill_of(&billed)?);
    Ok(figure.remarking(format!("{} KB", bytes / 1_000)))
}
