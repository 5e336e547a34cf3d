//! Numbers made of samples.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::{
    connection::Reply,
    operations::{Counts, Meter},
};

/// One row of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figure {
    /// What was measured.
    pub name: String,
    /// How many times.
    pub samples: usize,
    /// The median, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// What 95 of 100 stay below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// How many a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// What it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Whether the target was missed.
    pub missed: bool,
    /// What one request itself costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Counts>,
    /// What one costs with all that it sets off in the background, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<Counts>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remark: String,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    /// The median, in milliseconds, at most.
    MostMs(f64),
    /// A second, at least.
    LeastPerSecond(f64),
}

impl Figure {
    /// Of a time for each sample, in milliseconds.
    pub fn of_times(name: &str, mut samples: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            samples: samples.len(),
            p50_ms: Some(quantile(&mut samples, 0.5)),
            p95_ms: Some(quantile(&mut samples, 0.95)),
            ..Self::default()
        }
    }

    /// Of so many in this time.
    pub fn of_rate(name: &str, count: usize, took: Duration) -> Self {
        Self { name: name.to_owned(), samples: count, ..Self::default() }.at_rate(count, took)
    }

    /// And so many in this time.
    pub fn at_rate(mut self, count: usize, took: Duration) -> Self {
        self.per_second = Some(float(count) / took.as_secs_f64().max(1e-9));
        self
    }

    /// With a target.
    pub fn with_target(mut self, target: Target) -> Self {
        self.missed = match target {
            Target::MostMs(most) => self.p50_ms.is_none_or(|median| median > most),
            Target::LeastPerSecond(least) => self.per_second.is_none_or(|rate| rate < least),
        };
        self.target = Some(target);
        self
    }

    /// With what `count` of them cost.
    pub fn with_all(mut self, all: Counts, count: usize) -> Self {
        self.all = Some(all.times(1.0 / float(count.max(1))));
        self
    }

    /// With what one itself costs.
    pub fn with_own(mut self, own: Counts) -> Self {
        self.own = Some(own);
        self
    }

    /// With a remark.
    pub fn remarking(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }
}

/// The bill that came with an answer.
pub(super) fn bill_of(reply: &Reply) -> Result<Counts> {
    let bill = reply.bill.as_deref().context("the server sent no bill")?;
    serde_json::from_str(bill).context("the server's bill")
}

/// The time that each of `count` runs takes, in milliseconds.
pub(super) fn times(count: usize, mut run: impl FnMut(usize) -> Result<()>) -> Result<Vec<f64>> {
    let mut samples = Vec::with_capacity(count);
    for number in 0..count {
        let started = Instant::now();
        run(number)?;
        samples.push(milliseconds(started.elapsed()));
    }
    Ok(samples)
}

/// What `work` costs, with everything that it sets off.
pub(super) fn cost_of<T>(meter: &mut Meter, work: impl FnOnce() -> Result<T>) -> Result<(T, Counts)> {
    let before = meter.settled()?;
    let value = work()?;
    Ok((value, meter.settled()?.since(before)))
}

/// What this share of the samples stays below; 0 for none. Sorts them.
pub(super) fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = (float(samples.len().saturating_sub(1)) * share).round();
    // Rounded and not negative.
    samples.get(at as usize).copied().unwrap_or(0.0)
}

/// A time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A count as a number to calculate with.
pub(super) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::{Figure, Target, quantile};

    #[test]
    fn half_of_the_samples_stay_below_the_median() {
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&mut [], 0.5), 0.0);
    }

    #[test]
    fn a_target_is_missed_by_the_median_alone() {
        let met = Figure::of_times("one", vec![1.0, 2.0, 90.0]).with_target(Target::MostMs(2.0));
        let missed = Figure::of_times("other", vec![1.0, 3.0, 3.0]).with_target(Target::MostMs(2.0));
        assert!(!met.missed);
        assert!(missed.missed);
    }
}
