//! `weir replay to ndjson`: the raw events from a sequence on, of archive and stream, one JSON object a line.

use crate::cli::NdjsonOptions;
use crate::output::{self, Output, Usage};
use crate::session::Session;
use crate::{event_lines, human};
use anyhow::{Result, bail};
use weir_event::subject::events_stream;
use weir_reader::history::{History, Reach};
use weir_reader::stream::StreamState;
use weir_rollup::manifest::Manifest;

/// A partition, and how far it is printed.
struct Stretch {
    manifest: Manifest,
    /// Last sequence, that is at least the first one.
    through_seq: u64,
}

/// Prints partition by partition. Nothing is printed when one no longer has the first sequence.
pub(crate) async fn to_ndjson(session: &Session, options: &NdjsonOptions, output: Output) -> Result<()> {
    if let Some(to_seq) = options.to_seq.filter(|to_seq| *to_seq < options.from_seq) {
        return Err(Usage(format!("--to-seq {to_seq} is before --from-seq {}", options.from_seq)).into());
    }
    let region = &session.run.region;
    let mut stretches = Vec::new();
    for partition in session.partitions(options.partition)? {
        let manifest = session.manifest(partition).await?;
        let reach = Reach::of(&session.jetstream, &session.store()?, &manifest).await?;
        if options.from_seq < reach.first_seq() {
            return refuse(&events_stream(region, partition), options.from_seq, &reach).await;
        }
        if let Some(through_seq) = through(options, &reach.stream) {
            stretches.push(Stretch { manifest, through_seq });
        }
    }
    if stretches.is_empty() {
        output.note(&format!("there is no sequence {} yet: nothing to print", options.from_seq));
    }
    for stretch in stretches {
        print(session, options.from_seq, &stretch).await?;
    }
    Ok(())
}

/// How far a partition is to be printed; `None` = it has nothing so new.
fn through(options: &NdjsonOptions, state: &StreamState) -> Option<u64> {
    let through_seq = options.to_seq.map_or(state.last_seq, |to_seq| to_seq.min(state.last_seq));
    (through_seq >= options.from_seq).then_some(through_seq)
}

async fn refuse(stream: &str, wanted_seq: u64, reach: &Reach) -> Result<()> {
    let first_seq = reach.first_seq();
    match reach.time_of(first_seq).await? {
        Some(ms) => bail!(
            "stream {stream} no longer has sequence {wanted_seq}, nor has the archive: the first available is {first_seq}, stored {}",
            human::moment(ms)
        ),
        None => bail!(
            "stream {stream} no longer has sequence {wanted_seq}, nor has the archive: there is none at all, the next one will be {first_seq}"
        ),
    }
}

async fn print(session: &Session, from_seq: u64, stretch: &Stretch) -> Result<()> {
    let (region, partition) = (&session.run.region, stretch.manifest.partition);
    let mut history = History::open(&session.jetstream, &session.store()?, &stretch.manifest, from_seq).await?;
    loop {
        let delivered = history.next().await?;
        let lines = event_lines::of(region, partition, &delivered, false)?;
        if !lines.is_empty() {
            output::line(&lines)?;
        }
        if delivered.seq >= stretch.through_seq {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_streams_or_an_earlier_one() {
        let state = StreamState { first_seq: 3, last_seq: 9, messages: 7, bytes: 0, created: String::new() };
        let through = |from_seq, to_seq| super::through(&NdjsonOptions { from_seq, to_seq, partition: None }, &state);
        assert_eq!(through(3, None), Some(9));
        assert_eq!(through(3, Some(5)), Some(5));
        assert_eq!(through(5, Some(5)), Some(5));
        assert_eq!(through(9, Some(50)), Some(9));
        assert_eq!(through(10, None), None);
        assert_eq!(through(10, Some(50)), None);
    }
}
