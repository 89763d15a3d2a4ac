//! `weir tail`: the raw events of the stream with their positions.

use crate::cli::TailOptions;
use crate::event_lines;
use crate::output;
use crate::session::Session;
use anyhow::{Context as _, Result};
use tokio::sync::mpsc;
use weir_reader::history::{History, Reach};
use weir_reader::store::Store;
use weir_rollup::manifest::Manifest;

/// Batches that wait to be printed.
const WAITING_MAX: usize = 4;

/// Prints events until Ctrl-C, or to the present end of the stream.
pub(crate) async fn run(session: &Session, options: &TailOptions) -> Result<()> {
    let partitions = session.partitions(options.partition)?;
    let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
    for partition in partitions {
        let (jetstream, store) = (session.jetstream.clone(), session.store()?);
        let (manifest, options, sender) = (session.manifest(partition).await?, options.clone(), sender.clone());
        tokio::spawn(async move {
            if let Err(error) = follow(&jetstream, &store, &manifest, &options, &sender).await {
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
    store: &Store,
    manifest: &Manifest,
    options: &TailOptions,
    sender: &mpsc::Sender<Result<String>>,
) -> Result<()> {
    let reach = Reach::of(jetstream, store, manifest).await?;
    let state = &reach.stream;
    let from_seq = options.from_seq.map_or(state.last_seq + 1, |from_seq| from_seq.max(reach.first_seq()).max(1));
    if options.until_end && from_seq > state.last_seq {
        return Ok(());
    }
    let mut history = History::open(jetstream, store, manifest, from_seq).await?;
    loop {
        let delivered = history.next().await?;
        let seq = delivered.seq;
        let lines = event_lines::of(&manifest.region, manifest.partition, &delivered, options.refused)?;
        if !lines.is_empty() && sender.send(Ok(lines)).await.is_err() {
            return Ok(());
        }
        if options.until_end && seq >= state.last_seq {
            return Ok(());
        }
    }
}
