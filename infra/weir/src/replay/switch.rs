//! `weir replay promote`, `rollback` and `discard`: they change what is served or can be, and so they ask.

use super::progress::Display;
use super::{logic_text, name, replayer};
use crate::cli::SwitchOptions;
use crate::output::Output;
use crate::session::Session;
use crate::status::{self, PartitionStatus};
use crate::table::{Side, Table};
use crate::{consent, human};
use anyhow::Result;
use weir_aggregator::replay::{Discarded, ReplayError, Replayer, Status, Switched};

/// A command that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    Promote,
    Rollback,
    Discard,
}

/// Serves the shadow.
pub(crate) async fn promote(options: SwitchOptions, output: Output) -> Result<()> {
    let replayer = agreed(Switch::Promote, options).await?;
    let display = Display::new(replayer.region(), output);
    let switched = replayer.promote(&|progress| display.show(progress)).await?;
    output.result(&switched, &switched_text(Switch::Promote, &switched))
}

/// Serves what was served before.
pub(crate) async fn rollback(options: SwitchOptions, output: Output) -> Result<()> {
    let switched = agreed(Switch::Rollback, options).await?.rollback().await?;
    output.result(&switched, &switched_text(Switch::Rollback, &switched))
}

/// Gives a shadow or an offered rollback up.
pub(crate) async fn discard(options: SwitchOptions, output: Output) -> Result<()> {
    let discarded = agreed(Switch::Discard, options).await?.discard().await?;
    output.result(&discarded, &discarded_text(&discarded))
}

impl Switch {
    fn command(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Discard => "discard",
        }
    }

    fn question(self) -> &'static str {
        match self {
            Self::Promote => "Serve the shadow?",
            Self::Rollback => "Serve what was before?",
            Self::Discard => "Give it up?",
        }
    }
}

/// The library, once somebody said yes. Without a terminal, nobody can be asked: then only `--yes` will do.
async fn agreed(switch: Switch, options: SwitchOptions) -> Result<Replayer> {
    if !options.yes {
        consent::can_be_asked(switch.command())?;
    }
    let session = Session::open().await?;
    let replayer = replayer(&session)?;
    if !options.yes {
        let status = replayer.status().await?.ok_or(ReplayError::None)?;
        let served = status::collect(&session).await?;
        consent::require(&format!("{}\n{}", announcement(switch, &status, &served), switch.question())).await?;
    }
    Ok(replayer)
}

/// What will happen.
fn announcement(switch: Switch, status: &Status, served: &[PartitionStatus]) -> String {
    let mut lines = vec![format!("replay {} with {}", status.id, logic_text(status.logic.as_deref()))];
    let mut table = Table::new([
        ("partition", Side::Left),
        ("revision", Side::Right),
        ("sequences exchanged", Side::Right),
        ("rollback", Side::Left),
    ]);
    for one in &status.partitions {
        let now = served.iter().find(|now| now.region == one.region && now.partition == one.partition);
        let revision = now.map_or(0, |now| now.revision);
        let (is_switched, exchanged) = match switch {
            Switch::Promote if one.promoted => (false, "done already".to_owned()),
            Switch::Promote => (true, format!("{} to {}", human::count(one.checkpoint_seq + 1), human::count(one.served_seq))),
            Switch::Rollback => match now.and_then(|now| now.promotion.as_ref()).filter(|_| one.rollback_offered) {
                Some(promotion) => {
                    (true, format!("{} to {}", human::count(promotion.from_seq), human::count(promotion.through_seq)))
                }
                None => (false, "nothing to take back".to_owned()),
            },
            Switch::Discard => (false, "none".to_owned()),
        };
        let revision = if is_switched { format!("{revision} → {}", revision + 1) } else { revision.to_string() };
        let offered = match (switch, one.rollback_offered) {
            (Switch::Promote, _) if is_switched => "offered then",
            (_, true) => "offered now",
            (_, false) => "",
        };
        table.row([&name(&one.region, one.partition), &revision, &exchanged, offered]);
    }
    lines.extend(table.lines(2));
    lines.push(effect(switch, status).to_owned());
    lines.join("\n")
}

fn effect(switch: Switch, status: &Status) -> &'static str {
    match switch {
        Switch::Promote => {
            "The shadow takes in what was sealed since it was built; then queries are answered from it. `weir replay rollback` takes that back."
        }
        Switch::Rollback => {
            "Queries are answered again from what was served before, and from everything sealed since the promotion."
        }
        Switch::Discard if status.phase.has_shadow() => {
            "The shadow is given up; what is served stays as it is. To have it again, it must be built again."
        }
        Switch::Discard => {
            "The offered rollback is given up; what is served stays as it is. Its files are removed within a day or so."
        }
    }
}

fn switched_text(switch: Switch, switched: &[Switched]) -> String {
    let mut table = Table::new([
        ("partition", Side::Left),
        ("revision", Side::Right),
        ("sequences exchanged", Side::Right),
        ("took", Side::Right),
        ("", Side::Left),
    ]);
    for one in switched {
        table.row([
            &name(&one.region, one.partition),
            &one.revision.to_string(),
            &format!("{} to {}", human::count(one.from_seq), human::count(one.through_seq)),
            &format!("{} ms", human::count(one.switch_ms)),
            if one.already { "was done already" } else { "" },
        ]);
    }
    let (done, next) = match switch {
        Switch::Promote => (
            "the shadow is what is served",
            "look at the reports; `weir replay rollback` takes it back, `weir replay discard` makes it final",
        ),
        _ => ("what was before is served again", "`weir replay status`"),
    };
    std::iter::once(done.to_owned())
        .chain(table.lines(2))
        .chain(std::iter::once(format!("next: {next}")))
        .collect::<Vec<_>>()
        .join("\n")
}

fn discarded_text(discarded: &Discarded) -> String {
    let what = match (discarded.shadow, discarded.rollback) {
        (true, true) => "its shadow and its rollback are given up",
        (true, false) => "its shadow is given up",
        (false, true) => "its rollback is given up, it is final",
        (false, false) => "there was nothing to give up",
    };
    format!("replay {}: {what}", discarded.id)
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::example;
    use super::*;
    use crate::status::PromotionStatus;
    use weir_reader::replays::Phase;
    use weir_rollup::manifest::PromotionKind;

    fn served() -> Vec<PartitionStatus> {
        let promotion = PromotionStatus {
            kind: PromotionKind::Promote,
            replay_id: "ab".to_owned(),
            at: String::new(),
            from_seq: 7,
            through_seq: 1500,
            rollback_offered: true,
        };
        let one = |partition, promotion| PartitionStatus { revision: 41, partition, promotion, ..status::tests::example() };
        vec![one(0, Some(promotion)), one(1, None)]
    }

    #[test]
    fn what_will_happen_is_told() {
        let promote = announcement(Switch::Promote, &example(Phase::Promoting), &served());
        let expected = "replay ab with logic 2-0123456789abcdef
  partition  revision  sequences exchanged  rollback
  local.0          41         done already  offered now
  local.1     41 → 42           1 to 2,000  offered then
The shadow takes in";
        assert!(promote.starts_with(expected), "{promote}");
        let rollback = announcement(Switch::Rollback, &example(Phase::Promoted), &served());
        let expected = "replay ab with logic 2-0123456789abcdef
  partition  revision   sequences exchanged  rollback
  local.0     41 → 42            7 to 1,500  offered now
  local.1          41  nothing to take back
Queries are answered again";
        assert!(rollback.starts_with(expected), "{rollback}");
        assert!(announcement(Switch::Discard, &example(Phase::Built), &served()).contains("The shadow is given up"));
        assert!(announcement(Switch::Discard, &example(Phase::Promoted), &served()).contains("The offered rollback is given up"));
    }

    #[test]
    fn what_happened_is_told() {
        let switched = |already| Switched {
            region: "local".to_owned(),
            partition: 0,
            revision: 42,
            from_seq: 7,
            through_seq: 2000,
            switch_ms: 12,
            already,
        };
        let expected = "the shadow is what is served
  partition  revision  sequences exchanged   took
  local.0          42           7 to 2,000  12 ms
next: look at the reports;";
        let text = switched_text(Switch::Promote, &[switched(false)]);
        assert!(text.starts_with(expected), "{text}");
        assert!(switched_text(Switch::Rollback, &[switched(true)]).contains("was done already"));
        let discarded = |shadow, rollback| discarded_text(&Discarded { id: "ab".to_owned(), shadow, rollback });
        assert_eq!(discarded(true, false), "replay ab: its shadow is given up");
        assert_eq!(discarded(false, true), "replay ab: its rollback is given up, it is final");
    }
}
