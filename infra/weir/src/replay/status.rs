//! `weir replay status`: how far the newest replay is, and what can be done next.

use super::{logic_text, name, replayer};
use crate::human;
use crate::output::Output;
use crate::session::Session;
use crate::table::{Side, Table};
use anyhow::Result;
use std::time::Duration;
use weir_aggregator::replay::Status;
use weir_reader::replays::Phase;

/// Prints it.
pub(crate) async fn status(session: &Session, output: Output) -> Result<()> {
    let status = replayer(session)?.status().await?;
    output.result(&status, &status.as_ref().map_or_else(none_text, text))
}

fn none_text() -> String {
    "there was no replay yet: `weir replay plan --from-seq N` says what one would do".to_owned()
}

fn text(status: &Status) -> String {
    let mut lines = vec![
        format!("replay {}: {}", status.id, phase_text(status.phase)),
        format!("  with {}", logic_text(status.logic.as_deref())),
        format!("  begun {}, changed {}", status.created, status.updated),
        format!(
            "  {} folded in {}",
            human::counted(status.events, "event"),
            human::duration(Duration::from_millis(status.busy_ms))
        ),
    ];
    lines.extend(partitions(status));
    lines.push(format!("next: {}", next(status)));
    lines.join("\n")
}

/// The partitions as a table. Once a replay is finished, it does not matter any more how far its shadow got.
fn partitions(status: &Status) -> Vec<String> {
    let mut table = Table::new([
        ("partition", Side::Left),
        ("from", Side::Right),
        ("checkpoint", Side::Right),
        ("shadow", Side::Right),
        ("served", Side::Right),
        ("done", Side::Right),
        ("", Side::Left),
    ]);
    let has_shadow = status.phase.has_shadow();
    for one in &status.partitions {
        let state = match (one.promoted, one.rollback_offered) {
            (true, true) => "promoted, rollback offered",
            (true, false) => "promoted",
            (false, true) => "rollback offered",
            (false, false) => "",
        };
        table.row([
            &name(&one.region, one.partition),
            &human::count(one.from_seq),
            &human::count(one.checkpoint_seq),
            &one.shadow_seq.filter(|_| has_shadow).map_or_else(|| "-".to_owned(), human::count),
            &human::count(one.served_seq),
            &if has_shadow { format!("{:.0} %", one.percent.floor()) } else { "-".to_owned() },
            state,
        ]);
    }
    table.lines(2)
}

fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Building => "being built, or interrupted while it was",
        Phase::Built => "built",
        Phase::Promoting => "being promoted, or interrupted while it was",
        Phase::Promoted => "promoted: it is what is served",
        Phase::RollingBack => "being rolled back, or interrupted while it was",
        Phase::RolledBack => "rolled back: what was before it is served again",
        Phase::Discarded => "discarded",
    }
}

fn next(status: &Status) -> &'static str {
    let is_offered = status.partitions.iter().any(|one| one.rollback_offered);
    match status.phase {
        Phase::Building => "`weir replay run` goes on with it, `weir replay discard` gives it up",
        Phase::Built => "`weir replay diff` compares, `weir replay promote` serves it, `weir replay discard` gives it up",
        Phase::Promoting => "`weir replay promote` finishes it",
        Phase::Promoted if is_offered => "`weir replay rollback` takes it back, `weir replay discard` gives that possibility up",
        Phase::RollingBack => "`weir replay rollback` finishes it",
        Phase::Promoted | Phase::RolledBack | Phase::Discarded => "`weir replay plan` for another one",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use weir_aggregator::replay::PartitionStatus;

    pub(in super::super) fn example(phase: Phase) -> Status {
        let partition = |partition, promoted| PartitionStatus {
            region: "local".to_owned(),
            partition,
            from_seq: 7,
            checkpoint_seq: 0,
            shadow_seq: Some(1999),
            served_seq: 2000,
            percent: 99.95,
            promoted,
            rollback_offered: promoted,
        };
        Status {
            id: "ab".to_owned(),
            phase,
            logic: Some("2-0123456789abcdef".to_owned()),
            created: "2026-11-21T10:00:00.000Z".to_owned(),
            updated: "2026-11-21T10:01:00.000Z".to_owned(),
            events: 12_345,
            busy_ms: 4_000,
            partitions: vec![partition(0, true), partition(1, false)],
        }
    }

    #[test]
    fn a_status_can_be_read() {
        let expected = "replay ab: being promoted, or interrupted while it was
  with logic 2-0123456789abcdef
  begun 2026-11-21T10:00:00.000Z, changed 2026-11-21T10:01:00.000Z
  12,345 events folded in 4.0 s
  partition  from  checkpoint  shadow  served  done
  local.0       7           0   1,999   2,000  99 %  promoted, rollback offered
  local.1       7           0   1,999   2,000  99 %
next: `weir replay promote` finishes it";
        assert_eq!(text(&example(Phase::Promoting)), expected);
    }

    #[test]
    fn every_phase_says_what_is_next() {
        for (phase, expected) in [
            (Phase::Building, "run"),
            (Phase::Built, "diff"),
            (Phase::Promoting, "promote"),
            (Phase::Promoted, "rollback"),
            (Phase::RollingBack, "rollback"),
            (Phase::RolledBack, "plan"),
            (Phase::Discarded, "plan"),
        ] {
            assert_eq!(text(&example(phase)).contains(" 99 %"), phase.has_shadow(), "{phase:?}");
            assert!(next(&example(phase)).starts_with(&format!("`weir replay {expected}`")), "{phase:?}");
        }
        assert!(none_text().contains("weir replay plan"));
    }
}
