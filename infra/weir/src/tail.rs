//! `weir tail`: the raw events of the stream with their positions.

use crate::cli::TailOptions;
use crate::event_lines;
use crate::output;
use crate::session::Session;
use anyhow::{Context as _, Result};
use tokio::sync::mpsc;
use weir_reader::stream::{self, PartitionStream};

/// Batches that wait to be printed.
const WAITING_MAX: usize = 4;

/// Prints events until Ctrl-C, or to the present end of the stream.
pub(crate) async fn run(session: &Session, options: &TailOptions) -> Result<()> {
    let partitions = session.partitions(options.partition)?;
    let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
    for partition in partitions {
        let jetstream = session.jetstream.clone();
        let (region, options, sender) = (session.run.region.clone(), options.clone(), sender.clone());
        tokio::spawn(async move {
            if let Err(error) = follow(&jetstream, &region, partition, &options, &sender).await {
                // Nobody prints any more: then nobody asks for the error either.
                let _closed = sender.send(Err(error)).await;
            }
        });
    }
    drop(sender);
    loop {
        tokio::select! {
            batch = receiver.recv() => match batch {
                Some(lines) => output::line(&lines?)?,
                None => return Ok(()),
            },
            ended = tokio::signal::ctrl_c() => return ended.context("cannot listen to Ctrl-C"),
        }
    }
}

async fn follow(
    jetstream: &async_nats::jetstream::Context,
    region: &str,
    partition: u32,
    options: &TailOptions,
    sender: &mpsc::Sender<Result<String>>,
) -> Result<()> {
    let state = stream::state(jetstream, region, partition).await?;
    let from_seq = options.from_seq.map_or(state.last_seq + 1, |from_seq| from_seq.max(state.first_seq).max(1));
    if options.until_end && from_seq > state.last_seq {
        return Ok(());
    }
    let mut stream = PartitionStream::open(jetstream, region, partition, from_seq).await?;
    loop {
        let delivered = stream.next().await?;
        let seq = delivered.seq;
        let lines = event_lines::of(region, partition, &delivered, options.refused)?;
        if !lines.is_empty() && sender.send(Ok(lines)).await.is_err() {
            return Ok(());
        }
        if options.until_end && seq >= state.last_seq {
            return Ok(());
        }
    }
}
