//! A partition's raw batches from any sequence on, wherever they are: in the archive first, then in the stream.

use crate::archive::{self, BlockRef};
use crate::error::ReaderError;
use crate::store::Store;
use crate::stream::{self, Delivered, PartitionStream, StreamState};
use crate::{heads, manifests};
use async_nats::jetstream::Context;
use std::collections::VecDeque;
use weir_event::subject;
use weir_rollup::manifest::{ArchiveObject, Manifest};

/// How far the raw batches of a partition reach.
#[derive(Clone, Debug)]
pub struct Reach {
    jetstream: Context,
    store: Store,
    region: String,
    partition: u32,
    /// The objects of the archive.
    pub archive: Vec<ArchiveObject>,
    /// The stream.
    pub stream: StreamState,
}

impl Reach {
    /// Looks at a manifest's archive and asks for the end of the stream, which must be the one that the manifest counts in.
    ///
    /// # Errors
    /// When the stream cannot be asked or was made anew.
    pub async fn of(jetstream: &Context, store: &Store, manifest: &Manifest) -> Result<Self, ReaderError> {
        let (region, partition) = (manifest.region.clone(), manifest.partition);
        let state = stream::state(jetstream, &region, partition).await?;
        if state.created != manifest.stream.created {
            let stream = subject::events_stream(&region, partition);
            return Err(ReaderError::Recreated { stream, created: state.created, former: manifest.stream.created.clone() });
        }
        let (jetstream, store) = (jetstream.clone(), store.clone());
        Ok(Self { jetstream, store, region, partition, archive: manifest.archive.clone(), stream: state })
    }

    /// The first sequence from which on nothing is missing.
    pub fn first_seq(&self) -> u64 {
        match (self.archive.first(), self.archive.last()) {
            (Some(first), Some(last)) if last.last_seq + 1 >= self.stream.first_seq => first.first_seq.min(self.stream.first_seq),
            _ => self.stream.first_seq,
        }
    }

    /// When JetStream stored the message at a sequence, Unix milliseconds; `None` when it is nowhere.
    pub async fn time_of(&self, seq: u64) -> Result<Option<u64>, ReaderError> {
        if seq >= self.stream.first_seq {
            return stream::time_of(&self.jetstream, &self.region, self.partition, seq).await;
        }
        let Some(object) = containing(&self.archive, seq) else { return Ok(None) };
        if seq == object.first_seq {
            return Ok(Some(object.first_stream_ms));
        }
        Ok(self.find(object, move |message| message.seq == seq).await?.map(|message| message.stream_ms))
    }

    /// The first sequence stored at a time (Unix milliseconds) or later; the one after the last when there is none.
    pub async fn seq_at(&self, time_ms: u64) -> Result<u64, ReaderError> {
        let in_stream = stream::seq_at(&self.jetstream, &self.region, self.partition, time_ms).await?;
        // What the stream still has it knows best; what it has no longer is earlier.
        let is_earlier = |object: &&ArchiveObject| object.first_seq < self.stream.first_seq && object.last_stream_ms >= time_ms;
        if in_stream > self.stream.first_seq || self.first_seq() == self.stream.first_seq {
            return Ok(in_stream);
        }
        let Some(object) = self.archive.iter().find(is_earlier) else { return Ok(in_stream) };
        let found = self.find(object, move |message| message.stream_ms >= time_ms).await?;
        Ok(found.map_or(in_stream, |message| message.seq.min(in_stream)))
    }

    async fn find(
        &self,
        object: &ArchiveObject,
        is_wanted: impl Fn(&Delivered) -> bool + Send + 'static,
    ) -> Result<Option<Delivered>, ReaderError> {
        let bytes = archive::load(&self.store, object).await?;
        let name = object.name.clone();
        let look = move || -> Result<Option<Delivered>, archive::ArchiveError> {
            for block in archive::blocks(&bytes)? {
                if let Some(found) = block.messages()?.into_iter().find(&is_wanted) {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        blocking(&name, look).await
    }
}

/// The object that holds a sequence.
fn containing(archive: &[ArchiveObject], seq: u64) -> Option<&ArchiveObject> {
    let place = archive.partition_point(|object| object.last_seq < seq);
    archive.get(place).filter(|object| object.first_seq <= seq)
}

async fn blocking<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, archive::ArchiveError> + Send + 'static,
) -> Result<T, ReaderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|cause| ReaderError::malformed(name, cause)),
        Err(cause) => Err(ReaderError::malformed(name, cause)),
    }
}

/// Reads a partition's raw batches from a sequence on: every message exactly once, in order, without a gap, in memory at most one object of the archive
/// and a block of it.
#[derive(Debug)]
pub struct History {
    reach: Reach,
    created: String,
    next_seq: u64,
    /// Of the object at hand, what is not decompressed yet.
    blocks: VecDeque<BlockRef>,
    object: String,
    messages: VecDeque<Delivered>,
    stream: Option<PartitionStream>,
}

impl History {
    /// Opens the history of the partition of a manifest at `from_seq` (from 1). Nothing of it needs to exist beyond `from_seq - 1`.
    ///
    /// # Errors
    /// With [`ReaderError::Gap`] when neither archive nor stream have that message.
    pub async fn open(jetstream: &Context, store: &Store, manifest: &Manifest, from_seq: u64) -> Result<Self, ReaderError> {
        let reach = Reach::of(jetstream, store, manifest).await?;
        let mut history = Self {
            created: reach.stream.created.clone(),
            reach,
            next_seq: from_seq.max(1),
            blocks: VecDeque::new(),
            object: String::new(),
            messages: VecDeque::new(),
            stream: None,
        };
        if containing(&history.reach.archive, history.next_seq).is_none() {
            history.open_stream().await?;
        }
        Ok(history)
    }

    /// Creation time of the stream that it continues in.
    pub fn created(&self) -> &str {
        &self.created
    }

    /// The next message; at the end of the stream it waits for one to arrive. May be dropped at any time without losing anything.
    ///
    /// # Errors
    /// With [`ReaderError::Gap`] when the next message is gone, with [`ReaderError::Checksum`] or [`ReaderError::Malformed`] when an object of the archive
    /// is damaged, and as [`PartitionStream::next`] does.
    pub async fn next(&mut self) -> Result<Delivered, ReaderError> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return self.take(message);
            }
            if let Some(block) = self.blocks.front().cloned() {
                let messages = blocking(&self.object, move || block.messages()).await?;
                let next_seq = self.next_seq;
                self.blocks.pop_front();
                self.messages.extend(messages.into_iter().skip_while(|message| message.seq < next_seq));
            } else if let Some(stream) = &mut self.stream {
                match stream.next().await {
                    Ok(message) => return self.take(message),
                    // What was purged meanwhile was archived meanwhile.
                    Err(gap @ ReaderError::Gap { .. }) => {
                        self.look_again().await?;
                        if containing(&self.reach.archive, self.next_seq).is_none() {
                            return Err(gap);
                        }
                        self.stream = None;
                    }
                    Err(error) => return Err(error),
                }
            } else if let Some(object) = containing(&self.reach.archive, self.next_seq).cloned() {
                self.open_object(&object).await?;
            } else {
                self.look_again().await?;
                if containing(&self.reach.archive, self.next_seq).is_none() {
                    self.open_stream().await?;
                }
            }
        }
    }

    fn take(&mut self, message: Delivered) -> Result<Delivered, ReaderError> {
        if message.seq != self.next_seq {
            let cause = format!("message {} follows where {} should", message.seq, self.next_seq);
            return Err(ReaderError::malformed(&self.object, cause));
        }
        self.next_seq += 1;
        Ok(message)
    }

    async fn open_object(&mut self, object: &ArchiveObject) -> Result<(), ReaderError> {
        let bytes = match archive::load(&self.reach.store, object).await {
            Ok(bytes) => bytes,
            // Merged since, and swept.
            Err(error @ ReaderError::ObjectMissing { .. }) => {
                self.look_again().await?;
                return match containing(&self.reach.archive, self.next_seq) {
                    Some(other) if other.name != object.name => Ok(()),
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let blocks = archive::blocks(&bytes).map_err(|cause| ReaderError::malformed(&object.name, cause))?;
        check_reach(object, &blocks)?;
        self.object.clone_from(&object.name);
        self.blocks = blocks.into_iter().filter(|block| block.header.last_seq() >= self.next_seq).collect();
        Ok(())
    }

    async fn open_stream(&mut self) -> Result<(), ReaderError> {
        let Reach { jetstream, region, partition, .. } = &self.reach;
        let opened = PartitionStream::open(jetstream, region, *partition, self.next_seq).await?;
        if opened.created() != self.created {
            let (stream, created) = (subject::events_stream(region, *partition), opened.created().to_owned());
            return Err(ReaderError::Recreated { stream, created, former: self.created.clone() });
        }
        self.object = subject::events_stream(region, *partition);
        self.stream = Some(opened);
        Ok(())
    }

    /// Takes over the archive of what is served now.
    async fn look_again(&mut self) -> Result<(), ReaderError> {
        let Reach { jetstream, region, partition, store, .. } = &self.reach;
        if let Some(entry) = heads::get(jetstream, region, *partition).await? {
            let manifest = manifests::load(store, &entry.head).await?;
            if manifest.stream.created == self.created {
                self.reach.archive = manifest.archive;
            }
        }
        Ok(())
    }
}

/// Reads an object to its end: it must hold every message that the manifest says.
///
/// # Errors
/// When it is missing or damaged.
pub async fn verify(store: &Store, object: &ArchiveObject) -> Result<(), ReaderError> {
    let bytes = archive::load(store, object).await?;
    let blocks = archive::blocks(&bytes).map_err(|cause| ReaderError::malformed(&object.name, cause))?;
    check_reach(object, &blocks)?;
    for block in blocks {
        blocking(&object.name, move || block.messages().map(drop)).await?;
    }
    Ok(())
}

/// An object must hold what the manifest says of it, block after block.
fn check_reach(object: &ArchiveObject, blocks: &[BlockRef]) -> Result<(), ReaderError> {
    let mut next_seq = object.first_seq;
    for block in blocks {
        if block.header.first_seq != next_seq {
            break;
        }
        next_seq = block.header.last_seq() + 1;
    }
    if next_seq == object.last_seq + 1 {
        return Ok(());
    }
    let cause = format!("it holds messages up to {}, the manifest says {}", next_seq.saturating_sub(1), object.last_seq);
    Err(ReaderError::malformed(&object.name, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(first_seq: u64, last_seq: u64) -> ArchiveObject {
        ArchiveObject {
            name: format!("{first_seq}-{last_seq}"),
            checksum: String::new(),
            bytes: 1,
            first_seq,
            last_seq,
            first_stream_ms: 0,
            last_stream_ms: 0,
            events: 0,
        }
    }

    #[test]
    fn the_object_of_a_sequence_is_found() {
        let archive = [object(3, 5), object(6, 6), object(7, 20)];
        for (seq, found) in [(2, None), (3, Some(3)), (5, Some(3)), (6, Some(6)), (7, Some(7)), (20, Some(7)), (21, None)] {
            assert_eq!(containing(&archive, seq).map(|object| object.first_seq), found, "{seq}");
        }
        assert!(containing(&[], 1).is_none());
    }

    #[test]
    fn an_object_holds_exactly_what_is_said_of_it() {
        let message = |seq| Delivered { seq, stream_ms: 0, message_id: String::new(), schema: 1, payload: bytes::Bytes::new() };
        let encoded = archive::encode(&[message(4), message(5)], 1).unwrap();
        let blocks = archive::blocks(&encoded.bytes).unwrap();
        for (first, last, is_right) in [(4, 5, true), (3, 5, false), (4, 6, false), (4, 4, false), (5, 6, false)] {
            assert_eq!(check_reach(&object(first, last), &blocks).is_ok(), is_right, "{first} {last}");
        }
    }
}
