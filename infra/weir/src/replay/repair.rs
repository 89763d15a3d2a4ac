//! `weir repair`: looks for damaged files and rebuilds them by a replay of its own.

use super::progress::Display;
use super::{name, replayer};
use crate::cli::RepairOptions;
use crate::human;
use crate::output::Output;
use crate::service::cancelled_by_signal;
use crate::session::Session;
use crate::table::{Side, Table};
use anyhow::Result;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use weir_aggregator::replay::{Found, Repaired};

/// How often it is said how many files were looked at.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Looks, and rebuilds what is damaged.
pub(crate) async fn repair(session: &Session, options: &RepairOptions, output: Output) -> Result<ExitCode> {
    let replayer = replayer(session)?;
    let told = Mutex::new(Instant::now());
    let tell = |looked: u64, all: u64| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= TELL_EVERY {
            *told = Instant::now();
            output.note(&format!("{} of {} files looked at", human::count(looked), human::count(all)));
        }
    };
    let found = replayer.look_for_damage(options.verify, &tell).await?;
    let mut repaired = Vec::new();
    if !options.dry_run {
        let cancel = cancelled_by_signal()?;
        let display = Display::new(&session.run.region, output);
        for broken in &found.partitions {
            repaired.push(replayer.repair(broken, &|progress| display.show(progress), cancel.clone()).await?);
        }
        display.finish();
    }
    let is_whole = repaired.len() == found.partitions.len();
    let value = serde_json::json!({ "found": found, "repaired": repaired, "whole": is_whole });
    output.result(&value, &text(&found, &repaired))?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(found: &Found, repaired: &[Repaired]) -> String {
    let mut lines = Vec::new();
    let looked = format!("{} looked at, {} read through", human::counted(found.parts, "file"), human::count(found.verified));
    if !found.restored.is_empty() {
        lines.push(format!("{} whole after all and read again", human::counted(found.restored.len() as u64, "file")));
    }
    if found.partitions.is_empty() {
        lines.push(format!("{looked}: nothing is damaged"));
        return lines.join("\n");
    }
    lines.push(format!("{looked}; damaged or missing:"));
    let mut table = Table::new([
        ("partition", Side::Left),
        ("damaged", Side::Right),
        ("missing", Side::Right),
        ("rows", Side::Right),
        ("from", Side::Right),
    ]);
    for one in &found.partitions {
        table.row([
            &name(&one.region, one.partition),
            &human::count(one.damaged.len() as u64),
            &human::count(one.missing.len() as u64),
            &human::count(one.rows),
            &human::count(one.from_seq),
        ]);
    }
    lines.extend(table.lines(2));
    for one in repaired {
        lines.push(format!(
            "{} is rebuilt: revision {} has the {} of before, checksum {}",
            name(&one.region, one.partition),
            one.revision,
            human::counted(one.rows, "row"),
            one.checksum
        ));
    }
    if repaired.is_empty() {
        lines.push("next: weir repair".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_aggregator::replay::Broken;

    #[test]
    fn what_was_found_and_done_can_be_read() {
        let whole = Found { parts: 12, verified: 12, ..Found::default() };
        assert_eq!(text(&whole, &[]), "12 files looked at, 12 read through: nothing is damaged");
        let broken = Broken {
            region: "local".to_owned(),
            partition: 1,
            damaged: vec!["a".to_owned()],
            missing: Vec::new(),
            from_seq: 7,
            rows: 1_234,
        };
        let found = Found { partitions: vec![broken], restored: vec!["b".to_owned()], ..whole };
        let dry = text(&found, &[]);
        assert!(dry.contains("1 file whole after all") && dry.contains("1,234") && dry.ends_with("next: weir repair"), "{dry}");
        let repaired =
            Repaired { region: "local".to_owned(), partition: 1, revision: 9, rows: 5_000, checksum: "5000-mab".to_owned() };
        let done = text(&found, &[repaired]);
        assert!(done.ends_with("local.1 is rebuilt: revision 9 has the 5,000 rows of before, checksum 5000-mab"), "{done}");
    }
}
