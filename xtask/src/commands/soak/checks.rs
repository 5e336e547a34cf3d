//! Whether everything is there exactly once: in the room, at Slack, on the devices, in the archive.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Plan,
    appservice::Appservice,
    followers::Followed,
    strike::Striker,
    traffic::{Ledger, People, number_in},
    windows::Tally,
};
use crate::load::{
    device::{Seen, whole_room},
    fake_slack::Control,
    stage::{Bridged, CHANNEL},
    user::User,
};

/// How many of a kind of violation are shown.
const SHOWN: usize = 10;
/// What Slack does to posts, by weight: each must come.
pub(super) const FAULTS: [(&str, u32); 3] = [("ratelimited", 1), ("drop_answer", 2), ("close", 1)];

/// What there is to judge.
pub(super) struct Evidence<'a> {
    pub user: User,
    pub bridged: &'a Bridged,
    pub people: &'a People,
    pub ledger: &'a Ledger,
    pub unheld: &'a [usize],
    pub devices: Vec<Followed>,
}

impl Evidence<'_> {
    /// All violations.
    pub fn check(&mut self, striker: &mut Striker<'_>, control: &mut Control) -> Result<Vec<String>> {
        let mut violations = self.ledger.violations.clone();
        let room = whole_room(&mut self.user, &self.bridged.room)?;
        violations.extend(self.room_has_all_once(&room));
        violations.extend(self.groups_in_order(&room));
        violations.extend(self.slack_has_all_once(&room, control)?);
        for device in &mut self.devices {
            device.catch_up().with_context(|| device.name.to_owned())?;
            violations.extend(same_timeline(device, &room));
            if device.device.overlaps > 0 {
                violations.push(format!("{} is shown events again {} times", device.name, device.device.overlaps));
            }
        }
        violations.extend(self.archive_has_all(&room, striker)?);
        Ok(violations)
    }

    fn room_has_all_once(&self, room: &[Seen]) -> Vec<String> {
        let mut violations = Vec::new();
        let ids: BTreeSet<&str> = room.iter().map(|event| event.event_id.as_str()).collect();
        if ids.len() != room.len() {
            violations.push(format!("/messages shows {} events twice", room.len() - ids.len()));
        }
        violations.extend(once("room", 's', self.people.written, room.iter().map(|event| event.body.as_str())));
        let written = self.ledger.acknowledged.len();
        violations.extend(once("room", 'm', written, room.iter().map(|event| event.body.as_str())));
        let lost: Vec<String> = self
            .ledger
            .acknowledged
            .iter()
            .filter(|(_, event_id)| !ids.contains(event_id.as_str()))
            .map(|(number, event_id)| format!("m{number} ({event_id})"))
            .collect();
        violations.extend(few("acknowledged sends that are not in the room", &lost));
        let uncertain = room.iter().filter(|event| event.body.contains("It is not certain whether")).count();
        if uncertain > 0 {
            violations.push(format!("{uncertain} answers are called uncertain, though the history tells"));
        }
        violations
    }

    fn groups_in_order(&self, room: &[Seen]) -> Vec<String> {
        let places: HashMap<usize, usize> =
            room.iter().enumerate().filter_map(|(place, event)| Some((number_in(&event.body, 's')?, place))).collect();
        let mut wrong = Vec::new();
        // An order that nothing promises proves nothing.
        if self.unheld.len() * 4 > self.people.groups.len() {
            wrong.push(format!("{} of {} were not held", self.unheld.len(), self.people.groups.len()));
        }
        for (number, group) in self.people.groups.iter().enumerate() {
            let places: Vec<usize> = group.clone().filter_map(|message| places.get(&message).copied()).collect();
            if !places.is_sorted() && !self.unheld.contains(&number) {
                wrong.push(format!("group {number} (s{} to s{}): places {places:?}", group.start, group.end - 1));
            }
        }
        few("groups that are not in the order of their timestamps", &wrong)
    }

    fn slack_has_all_once(&self, room: &[Seen], control: &mut Control) -> Result<Vec<String>> {
        let answer = control.get(&format!("messages?channel={CHANNEL}&from=app&limit=100000"))?;
        let messages = answer.get("messages").and_then(Value::as_array).context("no messages")?;
        let bodies: Vec<&str> = messages.iter().filter_map(|message| message.get("text")?.as_str()).collect();
        let mut violations = once("Slack", 'm', self.ledger.acknowledged.len(), bodies.iter().copied());
        let echoed: Vec<String> =
            bodies.iter().filter(|body| number_in(body, 's').is_some()).map(|body| (*body).to_owned()).collect();
        violations.extend(few("messages of Slack that were sent back to it", &echoed));
        let in_room: Vec<usize> = room.iter().filter_map(|event| number_in(&event.body, 'm')).collect();
        let at_slack: Vec<usize> = bodies.iter().filter_map(|body| number_in(body, 'm')).collect();
        if in_room.len() == at_slack.len() && in_room != at_slack {
            let first = in_room.iter().zip(&at_slack).position(|(one, other)| one != other).unwrap_or(0);
            violations.push(format!(
                "the answers have another order at Slack than in the room, from the {first}th on: m{:?} became m{:?}",
                in_room.get(first),
                at_slack.get(first)
            ));
        }
        Ok(violations)
    }

    /// Rebuilds the room from the archive: nothing may differ, and the devices must follow without a gap.
    fn archive_has_all(&mut self, room: &[Seen], striker: &mut Striker<'_>) -> Result<Vec<String>> {
        striker.post("rebuild-room", &json!({"room_id": self.bridged.room})).context("rebuilding the room")?;
        let mut violations = Vec::new();
        let rebuilt = whole_room(&mut self.user, &self.bridged.room)?;
        violations.extend(difference("the room rebuilt from the archive", room, &rebuilt));
        let after = self.user.send_text(&self.bridged.room, "after-rebuild", "after the rebuild")?;
        for device in &mut self.devices {
            device.catch_up().with_context(|| device.name.to_owned())?;
            if device.device.timeline.last().map(|event| &event.event_id) != Some(&after) {
                violations.push(format!("{} does not get what is sent after the rebuild", device.name));
            }
        }
        let now = whole_room(&mut self.user, &self.bridged.room)?;
        for device in &self.devices {
            violations.extend(same_timeline(device, &now));
        }
        Ok(violations)
    }
}

/// Each number below `count` in exactly one body.
fn once<'a>(place: &str, kind: char, count: usize, bodies: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: BTreeMap<usize, usize> = BTreeMap::new();
    for number in bodies.filter_map(|body| number_in(body, kind)) {
        *found.entry(number).or_default() += 1;
    }
    let name = |number: &usize| format!("{kind}{number}");
    let missing: Vec<String> = (0..count).filter(|number| !found.contains_key(number)).map(|n| name(&n)).collect();
    let doubled: Vec<String> =
        found.iter().filter(|(_, times)| **times > 1).map(|(n, times)| format!("{} × {times}", name(n))).collect();
    let mut violations = few(&format!("messages missing from the {place}"), &missing);
    violations.extend(few(&format!("messages doubled in the {place}"), &doubled));
    violations
}

/// Whether a device has exactly what the room has since its first event.
fn same_timeline(followed: &Followed, room: &[Seen]) -> Vec<String> {
    let timeline = &followed.device.timeline;
    let Some(first) = timeline.first() else {
        return vec![format!("{} has seen nothing", followed.name)];
    };
    let start = room.iter().position(|event| event.event_id == first.event_id).unwrap_or(0);
    difference(followed.name, room.get(start..).unwrap_or_default(), timeline)
}

fn difference(what: &str, expected: &[Seen], found: &[Seen]) -> Vec<String> {
    if expected == found {
        return Vec::new();
    }
    let ids = |events: &[Seen]| events.iter().map(|event| event.event_id.clone()).collect::<BTreeSet<_>>();
    let (wanted, got) = (ids(expected), ids(found));
    let first =
        expected.iter().zip(found).position(|(one, other)| one != other).unwrap_or(expected.len().min(found.len()));
    let describe = |events: &[Seen]| events.get(first).map(|event| format!("{} {:?}", event.event_id, event.body));
    vec![format!(
        "{what}: {} events instead of {}; {} missing, {} too many, {} doubled; the first difference is at {first}: {:?} instead of {:?}",
        found.len(),
        expected.len(),
        wanted.difference(&got).count(),
        got.difference(&wanted).count(),
        found.len() - got.len(),
        describe(found),
        describe(expected),
    )]
}

fn few(what: &str, which: &[String]) -> Vec<String> {
    if which.is_empty() {
        return Vec::new();
    }
    let shown = which.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = if which.len() > SHOWN { " …" } else { "" };
    vec![format!("{} {what}: {shown}{more}", which.len())]
}

/// Whether each window was struck, and enough was killed.
pub(super) fn windows(tally: &Tally, striker: &Striker<'_>, plan: &Plan) -> Vec<String> {
    let missing: Vec<String> = tally.missing().iter().map(|(window, _)| (*window).to_owned()).collect();
    let mut violations = few("windows that were never hit", &missing);
    if striker.kills < plan.kills {
        violations.push(format!("only {} kills", striker.kills));
    }
    violations
}

/// Kinds of faults on posts that never came.
pub(super) fn faults(stats: &Value) -> Vec<String> {
    let counts = stats.pointer("/faults/counts").and_then(Value::as_object);
    let came = |kind: &str| counts.is_some_and(|counts| counts.keys().any(|name| name.ends_with(kind)));
    let missing: Vec<String> =
        FAULTS.iter().filter(|(kind, _)| !came(kind)).map(|(kind, _)| (*kind).to_owned()).collect();
    few("kinds of faults that Slack never made", &missing)
}

/// Panics that nobody asked for.
pub(super) fn log(path: &Path) -> Vec<String> {
    let log = fs::read_to_string(path).unwrap_or_default();
    let places: BTreeSet<String> = log
        .lines()
        .filter_map(|line| line.split_once("panicked at "))
        .map(|(_, place)| place.to_owned())
        .filter(|place| !place.contains("failpoints.rs"))
        .collect();
    few("places where the program panicked by itself", &places.into_iter().collect::<Vec<_>>())
}

/// Events that the appservice over HTTP got under several transaction ids.
pub(super) fn appservice(appservice: &Appservice) -> Vec<String> {
    few("events that the appservice got under several transaction ids", &appservice.doubled().0)
}
