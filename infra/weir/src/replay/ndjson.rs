//! `weir replay to ndjson`: the stream's raw events from a sequence on, one JSON object a line.

use crate::cli::NdjsonOptions;
use crate::output::{self, Output, Usage};
use crate::session::Session;
use crate::{event_lines, human};
use anyhow::{Result, bail};
use weir_event::subject::events_stream;
use weir_reader::stream::{self, PartitionStream, StreamState};

/// A partition, and how far it is printed.
#[derive(Debug, PartialEq, Eq)]
struct Stretch {
    partition: u32,
    /// Last sequence, that is at least the first one.
    through_seq: u64,
}

/// Prints partition by partition. Nothing is printed when a stream no longer has the first sequence.
pub(crate) async fn to_ndjson(session: &Session, options: &NdjsonOptions, output: Output) -> Result<()> {
    if let Some(to_seq) = options.to_seq.filter(|to_seq| *to_seq < options.from_seq) {
        return Err(Usage(format!("--to-seq {to_seq} is before --from-seq {}", options.from_seq)).into());
    }
    let region = &session.run.region;
    let mut stretches = Vec::new();
    for partition in session.partitions(options.partition)? {
        let state = stream::state(&session.jetstream, region, partition).await?;
        if options.from_seq < state.first_seq {
            return refuse(session, partition, options.from_seq, &state).await;
        }
        stretches.extend(stretch(partition, options, &state));
    }
    if stretches.is_empty() {
        output.note(&format!("there is no sequence {} yet: nothing to print", options.from_seq));
    }
    for stretch in stretches {
        print(session, options.from_seq, &stretch).await?;
    }
    Ok(())
}

/// What is to be printed of a partition; `None` = it has nothing so new.
fn stretch(partition: u32, options: &NdjsonOptions, state: &StreamState) -> Option<Stretch> {
    let through_seq = options.to_seq.map_or(state.last_seq, |to_seq| to_seq.min(state.last_seq));
    (through_seq >= options.from_seq).then_some(Stretch { partition, through_seq })
}

async fn refuse(session: &Session, partition: u32, wanted_seq: u64, state: &StreamState) -> Result<()> {
    let region = &session.run.region;
    let time = stream::time_of(&session.jetstream, region, partition, state.first_seq).await?;
    let stream = events_stream(region, partition);
    match time {
        Some(ms) => bail!(
            "stream {stream} no longer has sequence {wanted_seq}: the first available is {}, stored {}",
            state.first_seq,
            human::moment(ms)
        ),
        None => bail!(
            "stream {stream} no longer has sequence {wanted_seq}: it has none at all, the next one will be {}",
            state.last_seq + 1
        ),
    }
}

async fn print(session: &Session, from_seq: u64, stretch: &Stretch) -> Result<()> {
    let (region, partition) = (&session.run.region, stretch.partition);
    let mut stream = PartitionStream::open(&session.jetstream, region, partition, from_seq).await?;
    loop {
        let delivered = stream.next().await?;
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
        let through = |from_seq, to_seq| {
            stretch(0, &NdjsonOptions { from_seq, to_seq, partition: None }, &state).map(|stretch| stretch.through_seq)
        };
        assert_eq!(through(3, None), Some(9));
        assert_eq!(through(3, Some(5)), Some(5));
        assert_eq!(through(5, Some(5)), Some(5));
        assert_eq!(through(9, Some(50)), Some(9));
        assert_eq!(through(10, None), None);
        assert_eq!(through(10, Some(50)), None);
    }
}
