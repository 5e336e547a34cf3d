//! Failing on purpose: a window is armed, and once the server stands in it, it is killed, reset or panics.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::windows::{HOLD, Strike};
use crate::{
    embedded::Embedded,
    load::connection::{Call, Connection},
};

/// How long a window holds the server open for its kill.
const OPEN_MS: u32 = 10_000;
/// How long an admin call is repeated while the server comes back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Strikes at a server.
pub(super) struct Striker<'a> {
    server: &'a mut Embedded,
    connection: Connection,
    token: String,
    /// How often workerd was killed.
    pub kills: usize,
    /// How often objects were reset at random.
    pub resets: usize,
    /// The times from a kill to the next answer.
    pub restarts: Vec<Duration>,
}

impl<'a> Striker<'a> {
    pub fn new(server: &'a mut Embedded) -> Self {
        let connection = Connection::new(&server.url).impatient(Duration::from_secs(10));
        let token = server.identity.admin_token.clone();
        Self { server, connection, token, kills: 0, resets: 0, restarts: Vec::new() }
    }

    /// Lets the portal wait before its next message; returns how often it came there before.
    pub fn hold(&mut self, time: Duration) -> Result<u64> {
        let milliseconds = u32::try_from(time.as_millis())?;
        let report = self.post("failpoints", &json!({HOLD: {"action": {"delay": milliseconds}}}))?;
        Ok(count(&report, "passed", HOLD))
    }

    /// Whether the portal still waits, or has nothing to wait with: it came there at most once since.
    pub fn still_holds(&mut self, before: u64) -> Result<bool> {
        let report = self.call("GET", "failpoints", "")?;
        let armed = report.pointer("/armed").is_some_and(|armed| armed.get(HOLD).is_some());
        let passes = count(&report, "passed", HOLD).checked_sub(before);
        Ok(if armed { passes == Some(0) } else { passes == Some(1) })
    }

    /// Arms a window; returns how often it was hit before.
    pub fn arm(&mut self, window: &str, strike: Strike, skip: u64) -> Result<u64> {
        let action = match strike {
            Strike::Kill => json!({"delay": OPEN_MS}),
            Strike::Abort => json!("abort"),
            Strike::Panic => json!("panic"),
        };
        let report = self.post("failpoints", &json!({window: {"action": action, "skip": skip}}))?;
        Ok(count(&report, "hit", window))
    }

    /// Whether the server gets into the window in time.
    pub fn await_hit(&mut self, window: &str, strike: Strike, before: u64, patience: Duration) -> Result<bool> {
        let started = Instant::now();
        while started.elapsed() < patience {
            let report = self.call("GET", "failpoints", "")?;
            let hit = match strike {
                // The panic takes the counts with it, and disarms.
                Strike::Panic => report.pointer("/armed").and_then(|armed| armed.get(window)).is_none(),
                Strike::Kill | Strike::Abort => count(&report, "hit", window) > before,
            };
            if hit {
                return Ok(true);
            }
            sleep(Duration::from_millis(25));
        }
        Ok(false)
    }

    /// Disarms everything.
    pub fn disarm(&mut self) -> Result<()> {
        self.call("DELETE", "failpoints", "").map(drop)
    }

    /// `kill -9`, and back.
    pub fn kill(&mut self) -> Result<()> {
        let started = Instant::now();
        let killed = self.server.kill_workerd()?;
        self.kills += 1;
        self.server.await_restart(killed).context("after a kill")?;
        self.restarts.push(started.elapsed());
        Ok(())
    }

    /// Resets one object.
    pub fn reset(&mut self, class: &str, name: &str) -> Result<()> {
        self.post("abort-object", &json!({"class": class, "name": name}))?;
        self.resets += 1;
        Ok(())
    }

    /// An admin call, repeated until it is answered: a panic elsewhere takes answers with it.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.call("POST", path, &body.to_string())
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let path = format!("/_hubbub/admin/v1/{path}");
        let started = Instant::now();
        loop {
            let call = Call::new(method, &path, body).with_token(&self.token);
            let outcome = self.connection.send(&call).and_then(|reply| reply.success(&path));
            match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) if started.elapsed() > PATIENCE => return Err(error),
                Err(_) => sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// How often a window was `passed` or `hit`.
fn count(report: &Value, what: &str, window: &str) -> u64 {
    report.get(what).and_then(|counts| counts.get(window)).and_then(Value::as_u64).unwrap_or(0)
}
