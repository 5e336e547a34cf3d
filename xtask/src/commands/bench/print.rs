//! The report as tables for people.

use super::{
    Report,
    bill::Month,
    figures::{Figure, Target},
};
use crate::{load::operations::Counts, progress::print};

/// Prints everything.
pub(super) fn table(report: &Report) {
    let machine = &report.machine;
    print(format_args!(
        "\nMachine: {} processors, load {} before and {} after, fsync {:.1} and {:.1} ms. Times in ms; compare operations, not times, \
         between machines.\n",
        machine.processors,
        machine.load_before.as_deref().unwrap_or("unknown"),
        machine.load_after.as_deref().unwrap_or("unknown"),
        machine.fsync_ms[0],
        machine.fsync_ms[1],
    ));
    print(format_args!("{:<26} {:>6} {:>8} {:>8} {:>8}  {:<16}", "", "n", "p50", "p95", "per s", "target"));
    for figure in &report.figures {
        print(figure_line(figure));
    }
    print("\nBillable operations of one (itself; and on average with what it sets off in the background):\n");
    print(format_args!(
        "{:<26} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "objects", "read", "written", "alarms", "D1 stmts", "D1 read", "D1 writ.", "all writ."
    ));
    for figure in &report.figures {
        if let Some(own) = figure.own {
            print(counts_line(&format!("{}, itself", figure.name), own));
        }
        if let Some(all) = figure.all {
            print(counts_line(&format!("{}, in all", figure.name), all));
        }
    }
    for month in &report.months {
        month_table(month);
    }
}

/// The times of one figure beside its target.
pub(super) fn figure_line(figure: &Figure) -> String {
    let number = |value: Option<f64>, digits: usize| value.map(|value| format!("{value:.digits$}")).unwrap_or_default();
    let target = match figure.target {
        Some(Target::MostMs(most)) => format!("p50 ≤ {most}"),
        Some(Target::LeastPerSecond(least)) => format!("≥ {least}/s"),
        None => String::new(),
    };
    let verdict = match (figure.target, figure.missed) {
        (None, _) => "",
        (Some(_), true) => "MISSED",
        (Some(_), false) => "met",
    };
    format!(
        "{:<26} {:>6} {:>8} {:>8} {:>8}  {target:<10} {verdict:<6} {}",
        figure.name,
        figure.samples,
        number(figure.p50_ms, 1),
        number(figure.p95_ms, 1),
        number(figure.per_second, 0),
        figure.remark,
    )
}

fn counts_line(name: &str, counts: Counts) -> String {
    let columns = [
        counts.object_calls,
        counts.rows_read,
        counts.rows_written,
        counts.alarms_set,
        counts.d1_statements,
        counts.d1_rows_read,
        counts.d1_rows_written,
        counts.written(),
    ];
    let columns: Vec<String> = columns.iter().map(|count| format!("{count:>9.1}")).collect();
    format!("{name:<26} {}", columns.join(" "))
}

fn month_table(month: &Month) {
    print(format_args!("\nA month of somebody {}: {}\n", month.habit, month.means));
    print(format_args!("{:<22} {:>14} {:>14} {:>12}", "", "a month", "of Free's day", "Paid, extra"));
    for line in &month.lines {
        print(format_args!(
            "{:<22} {:>14.0} {:>12.1} % {:>11.2} $",
            line.what, line.month, line.free_percent, line.paid_dollars
        ));
    }
    print(format_args!("Free: {}. Paid: 5 $ + {:.2} $.", free_verdict(month), month.paid_extra_dollars));
}

fn free_verdict(month: &Month) -> String {
    let tightest = month.lines.iter().max_by(|one, other| one.free_percent.total_cmp(&other.free_percent));
    match tightest {
        Some(line) if line.free_percent > 100.0 => {
            format!("not enough ({}: {:.0} % of a day)", line.what, line.free_percent)
        }
        Some(line) => format!("enough ({}: {:.0} % of a day)", line.what, line.free_percent),
        None => "nothing was used".to_owned(),
    }
}
