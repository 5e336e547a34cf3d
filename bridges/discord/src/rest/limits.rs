//! Discord's rate limits ([docs](https://docs.discord.com/developers/topics/rate-limits)).
//!
//! A bucket is a hash that Discord names, and the channel, server or webhook in the address. A 429 that
//! is no JSON, and a 403 likewise, comes from the front and is about our address: then everything waits.
//! So it does when too many requests were refused: Discord bans an address for those.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// How long everything waits when the front refuses our address and does not say how long.
const ADDRESS_PAUSE_MS: i64 = 600_000;
/// Refusals within ten minutes after which everything waits: a tenth of what Discord bans for, since others
/// may share our address.
const MOST_REFUSED: usize = 1_000;
const REFUSED_WINDOW_MS: i64 = 600_000;
/// Calls a second of one bot.
const GLOBAL_A_SECOND: usize = 45;
/// The longest wait that is believed.
const LONGEST_WAIT_MS: i64 = 86_400_000;
/// How many buckets are remembered.
const MOST_BUCKETS: usize = 500;

/// What a call is, as far as limits go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name, like `POST channels/messages`: safe to log.
    pub name: &'static str,
    /// The channel, server or webhook; no secret.
    pub major: String,
}

/// What is known about the limits of one bot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Nothing before this moment, in milliseconds since the epoch.
    pub paused_until: i64,
    /// The hash that Discord gave to a route.
    #[serde(skip)]
    hashes: BTreeMap<&'static str, String>,
    /// By hash (or route) and major.
    #[serde(skip)]
    buckets: BTreeMap<(String, String), Bucket>,
    #[serde(skip)]
    second: VecDeque<i64>,
    #[serde(skip)]
    refused: VecDeque<i64>,
    /// Refusals that nobody was told of yet.
    #[serde(skip)]
    untold: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bucket {
    remaining: u32,
    reset_at: i64,
}

impl Limits {
    /// Whether a call may go now, and if so counts it; otherwise how many milliseconds it has to wait.
    ///
    /// # Errors
    /// The wait.
    pub fn ask(&mut self, route: &Route, now: i64) -> Result<(), i64> {
        if self.paused_until > now {
            return Err(self.paused_until.saturating_sub(now));
        }
        while self.second.front().is_some_and(|sent| now.saturating_sub(*sent) >= 1_000) {
            self.second.pop_front();
        }
        if self.second.len() >= GLOBAL_A_SECOND {
            let oldest = self.second.front().copied().unwrap_or(now);
            return Err(oldest.saturating_add(1_000).saturating_sub(now).max(1));
        }
        let key = self.key(route);
        if let Some(bucket) = self.buckets.get_mut(&key) {
            if now < bucket.reset_at {
                if bucket.remaining == 0 {
                    return Err(bucket.reset_at.saturating_sub(now));
                }
                bucket.remaining = bucket.remaining.saturating_sub(1);
            } else {
                self.buckets.remove(&key);
            }
        }
        self.second.push_back(now);
        Ok(())
    }

    /// Learns from an answer, whatever it is.
    pub fn learn(&mut self, route: &Route, answer: &http::Response<Vec<u8>>, now: i64) {
        let text = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        if let Some(hash) = text("x-ratelimit-bucket") {
            self.hashes.insert(route.name, hash.to_owned());
        }
        let status = answer.status().as_u16();
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(answer.body()).is_ok();
        let wait = wait_of(answer);
        if matches!(status, 403 | 429) && !is_json {
            self.pause(now, wait.unwrap_or(ADDRESS_PAUSE_MS));
            return;
        }
        if status == 429 {
            let wait = wait.unwrap_or(5_000);
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            let global = body.get("global").and_then(serde_json::Value::as_bool) == Some(true)
                || text("x-ratelimit-global") == Some("true")
                || text("x-ratelimit-scope") == Some("global");
            if global {
                self.pause(now, wait);
            } else {
                self.set(route, Bucket { remaining: 0, reset_at: now.saturating_add(wait) });
            }
        } else if let (Some(remaining), Some(after)) = (
            text("x-ratelimit-remaining").and_then(|text| text.parse().ok()),
            milliseconds(text("x-ratelimit-reset-after")),
        ) {
            self.set(route, Bucket { remaining, reset_at: now.saturating_add(after) });
        }
        if matches!(status, 401 | 403) || status == 429 && text("x-ratelimit-scope") != Some("shared") {
            self.count_refused(now);
        }
    }

    /// Nothing before this moment: somebody who shares the limit was told so.
    pub fn hold(&mut self, until: i64) {
        self.paused_until = self.paused_until.max(until);
    }

    /// How many calls were refused since this was asked last.
    pub fn take_refused(&mut self) -> u32 {
        std::mem::take(&mut self.untold)
    }

    fn count_refused(&mut self, now: i64) {
        self.untold = self.untold.saturating_add(1);
        self.refused.push_back(now);
        while self.refused.front().is_some_and(|at| now.saturating_sub(*at) >= REFUSED_WINDOW_MS) {
            self.refused.pop_front();
        }
        if self.refused.len() >= MOST_REFUSED {
            self.refused.clear();
            self.pause(now, REFUSED_WINDOW_MS);
        }
    }

    fn pause(&mut self, now: i64, wait: i64) {
        self.paused_until = self.paused_until.max(now.saturating_add(wait));
    }

    fn set(&mut self, route: &Route, bucket: Bucket) {
        if self.buckets.len() >= MOST_BUCKETS {
            self.buckets.pop_first();
        }
        let key = self.key(route);
        self.buckets.insert(key, bucket);
    }

    fn key(&self, route: &Route) -> (String, String) {
        let hash = self.hashes.get(route.name).map_or(route.name, String::as_str);
        (hash.to_owned(), route.major.clone())
    }
}

/// How long a refusal asks to wait, in milliseconds: by its body, which is exact, or its header.
pub(super) fn wait_of(answer: &http::Response<Vec<u8>>) -> Option<i64> {
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let in_body = body.get("retry_after").and_then(serde_json::Value::as_f64).map(|seconds| seconds.to_string());
    let header = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    milliseconds(in_body.as_deref().or(header.map(str::trim)))
}

/// Seconds with a fraction, as milliseconds rounded up, and never beyond a day.
fn milliseconds(seconds: Option<&str>) -> Option<i64> {
    let (whole, fraction) = seconds?.split_once('.').unwrap_or((seconds?, ""));
    let whole: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).chain("000".chars()).take(3).collect();
    let part: i64 = digits.parse().ok()?;
    Some(whole.saturating_mul(1_000).saturating_add(part).saturating_add(1).clamp(0, LONGEST_WAIT_MS))
}
