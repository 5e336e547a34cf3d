//! The run: round after round, then the drain, then the checks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Plan,
    appservice::Appservice,
    checks::{self, Evidence, FAULTS},
    encryption::Encryption,
    errands::{Errands, Needs, VISITOR},
    followers::Follower,
    report::Outcome,
    strike::Striker,
    traffic::{Owner, People},
    windows::{Strike, Tally, Trigger, WINDOWS},
};
use crate::{
    load::{
        fake_slack::Control,
        random::Random,
        stage::{Bridged, Stage},
    },
    progress::{note, seconds},
};

/// A group has at most this many.
/// So many messages make each kind of fault all but certain.
const ENOUGH_FOR_EACH_FAULT: usize = 1_000;
const LARGEST_GROUP: usize = 20;
/// And is not injected before it has this many.
const SMALLEST_GROUP: usize = 8;
/// How long the portal is held at first while a group comes in.
const FIRST_HOLD: Duration = Duration::from_millis(1_200);
const LONGEST_HOLD: Duration = Duration::from_secs(8);
/// The chance, of 100, that an object is reset after a round.
const RESETS: u64 = 35;
/// How long the server may take into a window.
const INTO_WINDOW: Duration = Duration::from_secs(8);
/// How often a window that nothing reached is tried again at the end.
const RETRIES: usize = 4;
/// How long the drain goes on without any progress.
const STALLED: Duration = Duration::from_secs(90);

/// One strike to come.
struct Round {
    window: &'static str,
    trigger: Trigger,
    strike: Strike,
}

/// What a run works with.
struct Run<'a> {
    plan: &'a Plan,
    bridged: &'a Bridged,
    striker: Striker<'a>,
    people: People,
    owner: Owner,
    errands: Errands,
    /// The objects of those who encrypt: (class, name).
    encrypting: Vec<(&'static str, String)>,
    control: Control,
    random: Random,
    tally: Tally,
    hold: Duration,
    /// Groups that were not whole before the portal was let go.
    unheld: Vec<usize>,
    misses: usize,
    violations: Vec<String>,
}

/// Runs everything.
pub(super) fn run(stage: &mut Stage, bridged: &Bridged, plan: &Plan, mut random: Random) -> Result<Outcome> {
    let started = Instant::now();
    let (url, admin_token) = (stage.server.url.clone(), stage.server.identity.admin_token.clone());
    let log = stage.server.log_path();
    let user = stage.owner_session()?;
    let stop = Arc::new(AtomicBool::new(false));
    let waiting = Follower::waiting(stage.owner_session()?, &bridged.room, random.fork(), &stop)?;
    let occasional = Follower::occasional(stage.owner_session()?, &bridged.room, random.fork(), &stop)?;
    let appservice = Arc::new(Appservice::start(VISITOR, random.fork())?);
    let registration = appservice.registration.to_string();
    stage.server.admin().request("POST", "appservices", "application/json", registration)?;
    let errands = Errands::start(Needs {
        url: &url,
        admin_token: &admin_token,
        bridged,
        control: stage.slack.control(),
        owner: &user,
        appservice: Arc::clone(&appservice),
    })?;
    let encryption = Encryption::start(&url, random.fork(), &stop)?;
    let mut control = stage.slack.control();
    let kinds: serde_json::Map<String, Value> =
        FAULTS.iter().map(|(kind, weight)| ((*kind).to_owned(), json!(weight))).collect();
    control
        .post("faults", &json!({"method": "chat.postMessage", "probability": 0.1, "kinds": kinds, "retry_after": 1}))?;
    let mut run = Run {
        plan,
        bridged,
        people: People::new(stage.slack.control(), random.fork()),
        owner: Owner::start(&user, &bridged.room, &mut random, &stop),
        striker: Striker::new(&mut stage.server),
        errands,
        encrypting: encryption.objects.clone(),
        control,
        random,
        tally: Tally::default(),
        hold: FIRST_HOLD,
        unheld: Vec::new(),
        misses: 0,
        violations: Vec::new(),
    };
    run.all_rounds(&waiting)?;
    let expected = run.people.written + run.owner.written;
    note(format_args!("all written after {}; waiting until everything has arrived", seconds(started.elapsed())));
    run.drain(&waiting)?;
    note(format_args!("drained after {}, {} events seen; checking", seconds(started.elapsed()), waiting.seen()));

    stop.store(true, Ordering::Relaxed);
    let devices = vec![waiting.finish()?, occasional.finish()?];
    let Run { mut striker, people, owner, mut control, tally, unheld, misses, mut violations, .. } = run;
    let ledger = owner.finish();
    let encryption = encryption.finish()?;
    violations.extend(encryption.violations.iter().cloned());
    let slack = control.get("stats")?;
    let mut evidence = Evidence { user, bridged, people: &people, ledger: &ledger, unheld: &unheld, devices };
    violations.extend(checks::windows(&tally, &striker, plan));
    violations.extend(checks::log(&log));
    // Of a few posts one kind may be missing by chance.
    if plan.messages >= ENOUGH_FOR_EACH_FAULT {
        violations.extend(checks::faults(&slack));
    }
    violations.extend(checks::appservice(&appservice));
    violations.extend(evidence.check(&mut striker, &mut control)?);
    Ok(Outcome {
        violations,
        took: started.elapsed(),
        expected,
        groups: people.groups.len(),
        unheld: unheld.len(),
        misses,
        kills: striker.kills,
        resets: striker.resets,
        restarts: std::mem::take(&mut striker.restarts),
        tally,
        slack,
        attempts: ledger.attempts,
        repeated: ledger.repeated,
        appservice_events: appservice.doubled().1,
        devices: evidence.devices,
        encryption,
    })
}

impl Run<'_> {
    fn all_rounds(&mut self, waiting: &Follower) -> Result<()> {
        let started = Instant::now();
        let rounds = self.rounds();
        let count = rounds.len();
        for (number, round) in rounds.into_iter().enumerate() {
            anyhow::ensure!(started.elapsed() < self.plan.patience, "the messages take too long: see --minutes");
            let due = |written: usize| (self.plan.messages * (number + 1) / count).saturating_sub(written);
            let (group, answers) = (due(self.people.written), due(self.owner.written));
            let last = number + 1 == count;
            self.round(&round, if group >= SMALLEST_GROUP || last { group } else { 0 }, answers)?;
            if number % 5 == 4 || last {
                self.tell(number + 1, count, waiting);
            }
        }
        self.missing_windows()
    }

    /// Each window at least once, and the kills that were asked for, in an order of the seed's.
    fn rounds(&mut self) -> Vec<Round> {
        let count = (self.plan.kills * 4 / 3).max(WINDOWS.len() * 6 / 5);
        let mut windows = Vec::new();
        while windows.len() < count {
            let mut all = WINDOWS.to_vec();
            self.random.shuffle(&mut all);
            windows.extend(all);
        }
        let mut strikes: Vec<Strike> = (0..count)
            .map(|number| match number {
                number if number < self.plan.kills => Strike::Kill,
                number if number % 2 == 0 => Strike::Abort,
                _ => Strike::Panic,
            })
            .collect();
        self.random.shuffle(&mut strikes);
        let rounds = windows.into_iter().zip(strikes);
        rounds.map(|((window, trigger), strike)| Round { window, trigger, strike }).collect()
    }

    fn round(&mut self, round: &Round, group: usize, answers: usize) -> Result<()> {
        let mut left = group;
        while left > 0 {
            let size = left.min(LARGEST_GROUP);
            self.inject(size)?;
            left -= size;
        }
        self.strike(round, answers.max(1))?;
        if self.random.percent(RESETS) {
            self.reset()?;
        }
        Ok(())
    }

    /// Holds the portal and injects a group; all of it is queued before the portal goes on.
    fn inject(&mut self, size: usize) -> Result<()> {
        let held = Instant::now();
        let passes = self.striker.hold(self.hold)?;
        self.people.write_group(size)?;
        let status = json!({"login_id": self.bridged.login_id});
        loop {
            let status = self.striker.post("slack/status", &status)?;
            if status.get("waiting").and_then(Value::as_u64) == Some(0) {
                break;
            }
            if held.elapsed() > LONGEST_HOLD {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        // An object that was reset late does not wait any more.
        let holds = self.striker.still_holds(passes)?;
        if held.elapsed() < self.hold && holds {
            return Ok(());
        }
        self.unheld.push(self.people.groups.len() - 1);
        if held.elapsed() >= self.hold {
            self.hold = (self.hold * 3 / 2).min(LONGEST_HOLD);
        }
        Ok(())
    }

    /// Arms the window, lets things happen, and strikes when the server is in it.
    fn strike(&mut self, round: &Round, answers: usize) -> Result<()> {
        let Round { window, trigger, strike } = *round;
        // The other windows are passed once a batch.
        let often =
            matches!(window, "room.after_append" | "portal.before_apply" | "portal.after_apply" | "portal.after_send");
        let skip = if often { self.random.below(2) } else { 0 };
        let before = self.striker.arm(window, strike, skip)?;
        if trigger != Trigger::Traffic {
            self.errands.order(trigger)?;
        }
        self.people.write(1)?;
        self.owner.write(answers);
        if self.striker.await_hit(window, strike, before, INTO_WINDOW)? {
            self.tally.add(window, strike);
            if strike == Strike::Kill {
                sleep(Duration::from_millis(self.random.below(30)));
                self.striker.kill()?;
            }
        } else {
            self.misses += 1;
            self.striker.disarm()?;
        }
        if trigger != Trigger::Traffic
            && let Err(error) = self.errands.outcome()
        {
            self.violations.push(format!("{error:#}"));
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        let objects = [
            ("Room", self.bridged.room.as_str()),
            ("User", self.bridged.owner.as_str()),
            ("Appservice", "slack"),
            ("Login", self.bridged.login_id.as_str()),
            ("Portal", self.bridged.portal_id.as_str()),
        ];
        let encrypting = self.encrypting.iter().map(|(class, name)| (*class, name.as_str()));
        let objects: Vec<(&str, &str)> = objects.into_iter().chain(encrypting).collect();
        if let Some((class, name)) = self.random.pick(&objects).copied() {
            self.striker.reset(class, name)?;
        }
        Ok(())
    }

    /// Goes on until each window was hit and enough was killed.
    fn missing_windows(&mut self) -> Result<()> {
        for _ in 0..RETRIES {
            let missing = self.tally.missing();
            for (window, trigger) in missing {
                let strike = if self.striker.kills < self.plan.kills { Strike::Kill } else { Strike::Abort };
                self.round(&Round { window, trigger, strike }, 0, 2)?;
            }
        }
        let busy = ("room.after_append", Trigger::Traffic);
        while self.striker.kills < self.plan.kills {
            let kills = self.striker.kills;
            self.round(&Round { window: busy.0, trigger: busy.1, strike: Strike::Kill }, 0, 2)?;
            if self.striker.kills == kills {
                self.striker.kill()?;
            }
        }
        Ok(())
    }

    fn tell(&self, number: usize, count: usize, waiting: &Follower) {
        note(format_args!(
            "round {number}/{count}: {} written at Slack, {} at Matrix ({} acknowledged), {} seen; {} kills, {} windows left",
            self.people.written,
            self.owner.written,
            self.owner.acknowledged(),
            waiting.seen(),
            self.striker.kills,
            self.tally.missing().len(),
        ));
    }

    /// Waits until everything has arrived, or nothing moves any more.
    fn drain(&mut self, waiting: &Follower) -> Result<()> {
        self.striker.disarm()?;
        self.control.post("faults", &json!({"clear": true}))?;
        let (mut known, mut since) = (String::new(), Instant::now());
        let mut told = Instant::now();
        while since.elapsed() < STALLED {
            let settled = self.control.post("wait", &json!({"timeout_ms": 1_000}))?;
            let status = self.striker.post("slack/status", &json!({"login_id": self.bridged.login_id}))?;
            let sent = self.control.get("messages?channel=C0GENERAL&from=app&limit=1")?;
            let sent = sent.get("total").and_then(Value::as_u64).context("no total")?;
            let logged = status.get("waiting").and_then(Value::as_u64).unwrap_or(0);
            let seen = waiting.seen();
            let is_settled = settled.get("settled") == Some(&Value::Bool(true));
            if is_settled
                && logged == 0
                && sent >= u64::try_from(self.owner.written)?
                && seen >= self.people.written + self.owner.written
                && since.elapsed() > Duration::from_secs(3)
            {
                return Ok(());
            }
            let now = format!("{is_settled} {logged} {sent} {seen} {}", self.owner.acknowledged());
            if now != known {
                (known, since) = (now, Instant::now());
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                note(format_args!("draining: {sent} of {} at Slack, {seen} events seen", self.owner.written));
            }
            sleep(Duration::from_millis(200));
        }
        self.violations.push(format!("nothing moves any more for {} s, see the other violations", STALLED.as_secs()));
        Ok(())
    }
}
