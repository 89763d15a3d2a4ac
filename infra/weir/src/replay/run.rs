//! `weir replay run`: builds the shadow, or goes on with it.

use super::progress::Display;
use super::{left_out, logic, logic_text, name, settings, wanted};
use crate::cli::{RunOptions, WantedOptions};
use crate::human;
use crate::output::{Output, Usage};
use crate::service::cancelled_by_signal;
use crate::session::Session;
use crate::table::{Side, Table};
use anyhow::{Result, bail};
use std::time::Duration;
use weir_aggregator::replay::{Built, ReplayError, Replayer, Wanted};

/// How often it is looked whether a line is due.
const TICK: Duration = Duration::from_secs(1);

/// Builds until everything that is sealed is in the shadow.
pub(crate) async fn run(session: &Session, options: &RunOptions, output: Output) -> Result<()> {
    let mut settings = settings(session)?;
    settings.lag_target_ms = options.lag_target_ms;
    settings.memory_limit_mb = options.memory_limit_mb;
    let replayer = Replayer::open(settings)?;
    let wanted = match options.start.start() {
        Some(start) => Some(wanted(session, start, &options.wanted).await?),
        None => unsaid(&replayer, &options.wanted).await?,
    };
    let cancel = cancelled_by_signal()?;
    let display = Display::new(&session.run.region, output);
    let show = |progress: &_| display.show(progress);
    let ticking = async {
        loop {
            tokio::time::sleep(TICK).await;
            display.tick();
        }
    };
    let built = tokio::select! {
        built = replayer.build(wanted.as_ref(), &show, cancel) => built,
        () = ticking => return Ok(()),
    };
    display.finish();
    match built {
        Err(ReplayError::Cancelled) => {
            bail!("interrupted: `weir replay run` goes on from there, `weir replay discard` gives it up")
        }
        built => {
            let built = built?;
            let covered: Vec<u32> = built.partitions.iter().map(|one| one.partition).collect();
            // Of a replay that was begun earlier it is not known which partitions were meant.
            let left_out = match &wanted {
                Some(wanted) => left_out(session, wanted.partition, &covered)?,
                None => None,
            };
            output.result(&built, &text(&built, left_out))
        }
    }
}

/// What is to be built when no start is named: the shadow that is there (`None`), else what was planned last.
async fn unsaid(replayer: &Replayer, options: &WantedOptions) -> Result<Option<Wanted>> {
    let names_logic = options.rules.is_some() || options.built_in;
    let logic = logic(options).await?;
    match replayer.is_built_with(&logic).await? {
        Some(is_same) if is_same || !names_logic => return Ok(None),
        Some(_) => bail!("the shadow that is there is built with other rules: `weir replay discard` drops it"),
        None => {}
    }
    let Some(planned) = replayer.remembered().await? else {
        return Err(Usage(
            "no replay was planned: give --from-seq or --from-time, or make a `weir replay plan` first".to_owned(),
        )
        .into());
    };
    Ok(Some(if names_logic { Wanted { logic, ..planned } } else { planned }))
}

fn text(built: &Built, left_out: Option<String>) -> String {
    let elapsed = Duration::from_millis(built.elapsed_ms);
    let waited = elapsed.saturating_sub(Duration::from_millis(built.busy_ms));
    let pauses = if waited >= Duration::from_secs(1) {
        format!(", {} of it in pauses for live ingestion", human::duration(waited))
    } else {
        String::new()
    };
    let mut lines = vec![format!(
        "shadow {} is built with {}: {} in {}{pauses}; {} events/s",
        built.id,
        logic_text(built.logic.as_deref()),
        human::counted(built.events, "event"),
        human::duration(elapsed),
        human::count(built.events_per_s)
    )];
    let mut table = Table::new([
        ("partition", Side::Left),
        ("from", Side::Right),
        ("through", Side::Right),
        ("rows", Side::Right),
        ("files", Side::Right),
        ("checksum", Side::Left),
    ]);
    for one in &built.partitions {
        table.row([
            &name(&one.region, one.partition),
            &human::count(one.from_seq),
            &human::count(one.sealed_seq),
            &human::count(one.rows),
            &human::count(one.parts),
            &one.checksum,
        ]);
    }
    lines.extend(table.lines(2));
    lines.extend(left_out);
    lines.push("next: weir replay diff".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_aggregator::replay::BuiltPartition;

    #[test]
    fn what_was_built_can_be_read() {
        let partition = BuiltPartition {
            region: "local".to_owned(),
            partition: 0,
            from_seq: 7,
            checkpoint_seq: 5,
            sealed_seq: 90,
            rows: 1234,
            parts: 3,
            checksum: "1234-ab".to_owned(),
        };
        let built = Built {
            id: "ab".to_owned(),
            logic: None,
            partitions: vec![partition],
            events: 1000,
            elapsed_ms: 3000,
            busy_ms: 2000,
            events_per_s: 500,
        };
        let expected = "shadow ab is built with the logic that each event had before: 1,000 events in 3.0 s, 1.0 s of it in pauses for live ingestion; 500 events/s
  partition  from  through   rows  files  checksum
  local.0       7       90  1,234      3  1234-ab
next: weir replay diff";
        assert_eq!(text(&built, None), expected);
    }
}
