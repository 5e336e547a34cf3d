//! `cargo xtask bench`: measures the embedded release build with a fake Slack beside it, and counts what Cloudflare would bill.
//!
//! [`rooms`], [`reading`], [`large`], [`encryption`] and [`mod@media`] measure the client's requests, [`slack`] the bridge; [`figures`] makes numbers of samples,
//! [`bill`] a month's bill of operations, [`mod@print`] the table.

mod bill;
mod encryption;
mod figures;
mod large;
mod media;
mod print;
mod reading;
mod rooms;
mod slack;

use std::{fs, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use self::{
    Measure::{Among, Plain},
    bill::Month,
    figures::{Figure, milliseconds},
};
use crate::{
    embedded::{Options, Registration, Switch},
    load::stage::{Setting, Stage},
    progress::{note, seconds},
};

/// Measure speed and billable operations of the embedded release build
#[derive(Args)]
pub struct Bench {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only measurements whose name contains this; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Search among so many events; sending them takes minutes
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    events: usize,
    /// Measure a Worker that is built already
    #[arg(long, value_name = "DIR", hide = true)]
    worker: Option<PathBuf>,
    /// Keep the data and the log in this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Everything that was found out.
#[derive(Serialize)]
struct Report {
    machine: Machine,
    figures: Vec<Figure>,
    months: Vec<Month>,
}

/// How busy the machine was with other things, which all times depend on.
#[derive(Serialize)]
struct Machine {
    processors: usize,
    load_before: Option<String>,
    load_after: Option<String>,
    /// The median time of a write of 4 KiB that reaches the disk, before and after: every commit waits for one.
    fsync_ms: [f64; 2],
}

/// One group of measurements.
struct Group {
    names: &'static [&'static str],
    measure: Measure,
}

/// How a group is measured.
enum Measure {
    /// As it is.
    Plain(fn(&mut Stage) -> Result<Vec<Figure>>),
    /// Among so many events.
    Among(fn(&mut Stage, usize) -> Result<Vec<Figure>>),
}

const GROUPS: &[Group] = &[
    Group { names: &["send"], measure: Plain(rooms::send) },
    Group { names: &["send 16-way"], measure: Plain(rooms::send_16_way) },
    Group { names: &["wake"], measure: Plain(rooms::wake) },
    Group { names: &["createRoom"], measure: Plain(rooms::create_room) },
    Group { names: &["messages"], measure: Plain(reading::messages) },
    Group { names: &["sync"], measure: Plain(reading::sync) },
    Group { names: &["media"], measure: Plain(media::up_and_down) },
    Group { names: &["members"], measure: Plain(large::members) },
    Group { names: &["hierarchy"], measure: Plain(large::hierarchy) },
    Group { names: &["search"], measure: Among(large::search) },
    Group {
        names: &["keys/query", "keys/claim", "sendToDevice", "sync, 100 messages"],
        measure: Plain(encryption::hundred),
    },
    Group { names: &["Slack to sync"], measure: Plain(slack::to_sync) },
    Group { names: &["answer to Slack"], measure: Plain(slack::answer) },
    Group { names: &["Slack burst"], measure: Plain(slack::burst) },
    Group { names: &["cron"], measure: Plain(slack::cron) },
];

impl Bench {
    /// Measures and prints. A missed target is shown, and is no failure: times depend on the machine.
    pub fn run(self) -> Result<ExitCode> {
        let groups: Vec<&Group> = GROUPS.iter().filter(|group| self.wants(group)).collect();
        if groups.is_empty() {
            let names: Vec<&str> = GROUPS.iter().flat_map(|group| group.names).copied().collect();
            bail!("nothing is called so; there are: {}", names.join(", "));
        }
        let load_before = load_average();
        let mut stage = Stage::set(self.setting())?;
        let fsync_before = fsync_ms(&stage)?;
        let mut figures = Vec::new();
        for group in groups {
            let started = Instant::now();
            let measured = match group.measure {
                Plain(measure) => measure(&mut stage)?,
                Among(measure) => measure(&mut stage, self.events)?,
            };
            note(format_args!("{} measured ({})", group.names.join(", "), seconds(started.elapsed())));
            measured.iter().for_each(|figure| note(print::figure_line(figure)));
            figures.extend(measured);
        }
        let machine = Machine {
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load_before,
            load_after: load_average(),
            fsync_ms: [fsync_before, fsync_ms(&stage)?],
        };
        let report = Report { months: bill::months(&figures), machine, figures };
        if self.json {
            crate::progress::print(serde_json::to_string_pretty(&report)?);
        } else {
            print::table(&report);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn wants(&self, group: &Group) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| group.names.iter().any(|name| name.contains(part.as_str())))
    }

    fn setting(&self) -> Setting {
        Setting {
            options: Options {
                registration: Registration::Open,
                rate_limits: Switch::Off,
                private_addresses: Switch::On,
                crons: false,
                ..Options::default()
            },
            slack: ["--seed", "7", "--post-rate", "0", "--parallel", "64"].map(str::to_owned).to_vec(),
            data: self.data.clone(),
            worker: self.worker.clone(),
        }
    }
}

fn load_average() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    Some(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

fn fsync_ms(stage: &Stage) -> Result<f64> {
    let path = stage.server.data_path().join("fsync");
    let mut samples = Vec::new();
    for _ in 0..30 {
        let started = Instant::now();
        let file = fs::File::create(&path)?;
        std::io::Write::write_all(&mut &file, &[7; 4096])?;
        file.sync_data()?;
        samples.push(milliseconds(started.elapsed()));
    }
    fs::remove_file(&path)?;
    Ok(figures::quantile(&mut samples, 0.5))
}
