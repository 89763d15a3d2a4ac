//! A new stream that goes on where a lost one was sealed: its first message gets the sequence after the last sealed one.
//!
//! What edges sent to the new stream meanwhile is acknowledged and must not be lost: it moves behind, in its order. While that goes on nobody can
//! publish, edges keep what they have and come again. Each step can be repeated after an interruption; a batch that is copied twice counts once.

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, RawMessageErrorKind};
use weir_event::subject::{events_stream, events_subject};

/// Makes a partition's stream begin behind a sequence. How many messages were moved.
pub(super) async fn begin_behind(jetstream: &Context, region: &str, partition: u32, sealed_seq: u64) -> Result<u64> {
    let name = events_stream(region, partition);
    let waiting_room = format!("RESTORE_{name}");
    let (held_subject, closed_subject) = (format!("weir.restore.{name}"), format!("weir.closed.{name}"));
    let (kept, there) = (find(jetstream, &waiting_room).await?, find(jetstream, &name).await?);
    if kept.is_none() && there.as_ref().is_some_and(|there| there.first_seq == sealed_seq + 1) {
        return Ok(0);
    }
    let Some(config) = there.as_ref().or(kept.as_ref()).map(|found| found.config.clone()) else {
        anyhow::bail!("the stream {name} is not there: `weir up` or `weir cluster provision` makes it")
    };
    if let Some(there) = there.filter(|there| there.first_seq != sealed_seq + 1) {
        change(jetstream, &Config { subjects: vec![closed_subject.clone()], ..there.config.clone() }).await?;
        let kept =
            Config { name: waiting_room.clone(), subjects: vec![held_subject.clone()], first_sequence: None, ..there.config };
        jetstream.get_or_create_stream(kept).await.with_context(|| format!("cannot make the stream {waiting_room}"))?;
        copy(jetstream, &name, &held_subject).await?;
        jetstream.delete_stream(&name).await.with_context(|| format!("cannot delete the stream {name}"))?;
    }
    let begun =
        Config { name: name.clone(), subjects: vec![closed_subject.clone()], first_sequence: Some(sealed_seq + 1), ..config };
    jetstream.get_or_create_stream(begun.clone()).await.with_context(|| format!("cannot make the stream {name}"))?;
    // It may be open already, after an interruption.
    change(jetstream, &begun).await?;
    let moved = copy(jetstream, &waiting_room, &closed_subject).await?;
    change(jetstream, &Config { subjects: vec![events_subject(region, partition)], ..begun }).await?;
    jetstream.delete_stream(&waiting_room).await.with_context(|| format!("cannot delete the stream {waiting_room}"))?;
    Ok(moved)
}

/// A stream that is there.
struct Found {
    config: Config,
    /// First sequence, or the next one where it is empty.
    first_seq: u64,
}

async fn change(jetstream: &Context, config: &Config) -> Result<()> {
    jetstream.update_stream(config).await.map(|_| ()).with_context(|| format!("cannot change the stream {}", config.name))
}

async fn find(jetstream: &Context, name: &str) -> Result<Option<Found>> {
    match jetstream.get_stream(name).await {
        Ok(stream) => {
            let info = stream.cached_info();
            let state = &info.state;
            let first_seq = if state.messages == 0 { state.last_sequence + 1 } else { state.first_sequence };
            Ok(Some(Found { config: info.config.clone(), first_seq }))
        }
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause) if cause.error_code() == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND => {
                Ok(None)
            }
            _ => Err(error).with_context(|| format!("cannot look at the stream {name}")),
        },
    }
}

/// Sends all messages of a stream to a subject, in their order and with their headers, each once it is stored.
async fn copy(jetstream: &Context, from: &str, subject: &str) -> Result<u64> {
    let failed = || format!("cannot copy the stream {from}: nothing is lost, run the same command again");
    let stream = jetstream.get_stream(from).await.with_context(failed)?;
    let state = stream.cached_info().state.clone();
    let mut copied = 0;
    for seq in state.first_sequence.max(1)..=state.last_sequence {
        let message = match stream.get_raw_message(seq).await {
            Ok(message) => message,
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => continue,
            Err(error) => return Err(error).with_context(failed),
        };
        let sent =
            jetstream.publish_with_headers(subject.to_owned(), message.headers, message.payload).await.with_context(failed)?;
        sent.await.with_context(failed)?;
        copied += 1;
    }
    Ok(copied)
}
