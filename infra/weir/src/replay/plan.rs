//! `weir replay plan`: what a replay would read, rebuild and replace.

use super::{left_out, logic_text, name, replayer, wanted};
use crate::cli::PlanOptions;
use crate::human;
use crate::output::{Output, Usage};
use crate::session::Session;
use anyhow::{Context as _, Result};
use std::time::Duration;
use weir_aggregator::replay::{PartitionPlan, Plan};

/// Prints the plan.
pub(crate) async fn plan(session: &Session, options: &PlanOptions, output: Output) -> Result<()> {
    let start = options.start.start().context(Usage("give --from-seq or --from-time".to_owned()))?;
    let wanted = wanted(session, start, &options.wanted).await?;
    let replayer = replayer(session)?;
    let plan = replayer.plan(&wanted).await?;
    replayer.remember(&wanted).await?;
    let covered: Vec<u32> = plan.partitions.iter().map(|one| one.partition).collect();
    let left_out = left_out(session, options.wanted.partition, &covered)?;
    output.result(&plan, &text(&plan, left_out))
}

fn text(plan: &Plan, left_out: Option<String>) -> String {
    let mut lines = Vec::new();
    for one in &plan.partitions {
        lines.push(format!("partition {}", name(&one.region, one.partition)));
        lines.extend(facts(one).iter().map(|(what, fact)| format!("  {what:<10} {fact}")));
    }
    lines.extend(left_out);
    lines.push(format!(
        "with {}, in about {}; what is served stays as it is until `weir replay promote`",
        logic_text(plan.logic.as_deref()),
        human::duration(Duration::from_secs(plan.estimated_s))
    ));
    lines.push("next: `weir replay run`, which does this".to_owned());
    lines.join("\n")
}

fn facts(one: &PartitionPlan) -> Vec<(&'static str, String)> {
    let count = human::count;
    let received = one.from_time.as_ref().map(|time| format!(", received {time}")).unwrap_or_default();
    let checkpoint = match (one.checkpoint.seq, &one.checkpoint.time) {
        (0, _) => "the stream's start".to_owned(),
        (seq, None) => format!("the state after sequence {}", count(seq)),
        (seq, Some(time)) => format!("the state after sequence {}, received {time}", count(seq)),
    };
    let read = &one.read;
    let reading = if read.messages == 0 {
        "nothing: there is nothing newer in files".to_owned()
    } else {
        let messages = human::counted(read.messages, "message");
        format!("{messages}, sequences {} to {}, {}", count(read.first_seq), count(read.last_seq), human::bytes(read.bytes))
    };
    let events = match &one.hours {
        None => human::counted(one.events, "event"),
        Some(hours) => {
            let span = if hours.count == 1 { hours.first.clone() } else { format!("{} to {}", hours.first, hours.last) };
            format!("{} in {}, {span}", human::counted(one.events, "event"), human::counted(hours.count, "hour"))
        }
    };
    let files =
        format!("{} kept, {} split, {} replaced", count(one.files.kept), count(one.files.split), count(one.files.replaced));
    vec![
        ("make anew", format!("sequences {} to {}{received}", count(one.from_seq), count(one.sealed_seq))),
        ("begin at", checkpoint),
        ("read", reading),
        ("rebuild", events),
        ("files", files),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_aggregator::replay::{CheckpointAt, Files, Hours, Reading};

    #[test]
    fn a_plan_can_be_read() {
        let partition = PartitionPlan {
            region: "local".to_owned(),
            partition: 0,
            from_seq: 1234,
            from_time: Some("2026-11-21T10:00:00.000Z".to_owned()),
            checkpoint: CheckpointAt { seq: 1000, time: None },
            read: Reading { first_seq: 1001, last_seq: 5678, messages: 4678, bytes: 12_300_000 },
            events: 1,
            hours: Some(Hours { first: "2026-11-21T09:00:00Z".to_owned(), last: "2026-11-21T11:00:00Z".to_owned(), count: 3 }),
            files: Files { kept: 12, split: 1, replaced: 34 },
            sealed_seq: 5678,
        };
        let plan = Plan { logic: Some("2-0123456789abcdef".to_owned()), partitions: vec![partition], estimated_s: 90 };
        let expected = "partition local.0
  make anew  sequences 1,234 to 5,678, received 2026-11-21T10:00:00.000Z
  begin at   the state after sequence 1,000
  read       4,678 messages, sequences 1,001 to 5,678, 12.3 MB
  rebuild    1 event in 3 hours, 2026-11-21T09:00:00Z to 2026-11-21T11:00:00Z
  files      12 kept, 1 split, 34 replaced
left out: local.1
with logic 2-0123456789abcdef, in about 90 s; what is served stays as it is until `weir replay promote`
next: `weir replay run`, which does this";
        assert_eq!(text(&plan, Some("left out: local.1".to_owned())), expected);
        let unchanged = Plan { logic: None, partitions: vec![], estimated_s: 0 };
        assert!(text(&unchanged, None).starts_with("with the logic that each event had before, in about 0.0 s;"));
    }
}
