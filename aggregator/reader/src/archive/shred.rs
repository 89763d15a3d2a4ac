//! Batches taken apart into columns by field, and put together again to the same bytes.
//!
//! Like stands beside like then: random ids, which nothing can compress, do not part texts that repeat. It knows only which fields have fields of their
//! own and which times are near which others; whatever else a batch has, of a later version too, is a column like any other.

use super::ArchiveError;
use super::columns::{Columns, Reading};
use super::wire::{Key, Kind, NotCanonical, put_varint, take, take_length, take_varint, unzigzag, zigzag};
use std::collections::HashMap;

/// Fields of a message that are taken apart; those of more are kept whole.
const FIELDS_MAX: usize = 256;
/// In the place of a field's kind: how often it is repeated, and its bytes.
const REPEATS: u16 = 6;
const BYTES: u16 = 7;

/// What fields belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Level {
    Batch = 0,
    Event = 1,
    Property = 2,
}

impl Level {
    /// Number of the column of a field.
    fn column(self, number: u16) -> u16 {
        (self as u16) << 11 | number
    }

    fn repeats(self, key: Key) -> u16 {
        self.column(u16::from(key.tag) << 3 | REPEATS)
    }

    fn bytes(self, key: Key) -> u16 {
        self.column(u16::from(key.tag) << 3 | BYTES)
    }

    /// Column of the shapes: which fields a message has, in which order.
    fn shapes(self) -> u16 {
        self.column(0)
    }

    /// Column of what each shape is.
    fn definitions(self) -> u16 {
        self.column(1)
    }

    /// What a field's own fields belong to, if it has such.
    fn below(self, key: Key) -> Option<Self> {
        match (self, key.tag, key.kind) {
            (Self::Batch, 6, Kind::Length) => Some(Self::Event),
            (Self::Event, 23, Kind::Length) => Some(Self::Property),
            _ => None,
        }
    }

    /// A row of such fields is one entry of a shape.
    fn is_repeated(self, key: Key) -> bool {
        self.below(key).is_some() || (self == Self::Batch && key.kind == Kind::Length && matches!(key.tag, 7..=9))
    }
}

/// Values near which others are.
#[derive(Default)]
struct Near {
    stream_ms: u64,
    formed_ms: u64,
    event_ms: u64,
    producer: Vec<u8>,
    number: u64,
    /// Last number of each producer.
    numbers: HashMap<Vec<u8>, u64>,
}

impl Near {
    fn begin(&mut self, stream_ms: u64) {
        (self.stream_ms, self.formed_ms, self.event_ms, self.number) = (stream_ms, stream_ms, stream_ms, 0);
        self.producer.clear();
    }

    /// The value near which that of a field is; `None` = it is near none.
    fn of(&self, level: Level, key: Key) -> Option<u64> {
        match (level, key.tag) {
            (Level::Batch, 2) => Some(self.numbers.get(&self.producer).copied().unwrap_or(0)),
            (Level::Batch, 3) => Some(self.stream_ms),
            (Level::Batch, 4) => Some(self.formed_ms),
            (Level::Event, 4 | 5) => Some(self.event_ms),
            _ => None,
        }
    }

    fn learn_number(&mut self, level: Level, key: Key, value: u64) {
        match (level, key.tag) {
            (Level::Batch, 2) => {
                self.number = value;
                self.numbers.insert(self.producer.clone(), value);
            }
            (Level::Batch, 3) => (self.formed_ms, self.event_ms) = (value, value),
            (Level::Event, 4) => self.event_ms = value,
            _ => {}
        }
    }

    fn learn_bytes(&mut self, level: Level, key: Key, bytes: &[u8]) {
        if (level, key.tag) == (Level::Batch, 1) {
            bytes.clone_into(&mut self.producer);
        }
    }
}

/// Whether bytes can be taken apart: protobuf in its shortest form, with few fields a message.
pub(super) fn is_canonical(payload: &[u8]) -> bool {
    check(Level::Batch, payload).is_ok()
}

fn check(level: Level, mut bytes: &[u8]) -> Result<(), NotCanonical> {
    let (mut entries, mut last) = (0, None);
    while !bytes.is_empty() {
        let key = Key::from_wire(take_varint(&mut bytes)?)?;
        if last != Some(key) || !level.is_repeated(key) {
            entries += 1;
        }
        last = Some(key);
        if entries > FIELDS_MAX {
            return Err(NotCanonical);
        }
        match key.kind {
            Kind::Varint => drop(take_varint(&mut bytes)?),
            Kind::Fixed64 => drop(take(&mut bytes, 8)?),
            Kind::Fixed32 => drop(take(&mut bytes, 4)?),
            Kind::Length => {
                let field = take_length(&mut bytes)?;
                if let Some(below) = level.below(key) {
                    check(below, field)?;
                }
            }
        }
    }
    Ok(())
}

/// Takes batches apart.
pub(super) struct Shredder {
    near: Near,
    shapes: [HashMap<Vec<u16>, u64>; 3],
    /// Events so far.
    pub(super) events: u32,
}

impl Shredder {
    pub(super) fn new() -> Self {
        Self { near: Near::default(), shapes: Default::default(), events: 0 }
    }

    /// Producer and number of the batch that was taken apart last.
    pub(super) fn producer(&self) -> (&[u8], u64) {
        (&self.near.producer, self.near.number)
    }

    /// Takes a batch apart that [`is_canonical`].
    pub(super) fn shred(&mut self, stream_ms: u64, payload: &[u8], out: &mut Columns) -> Result<(), ArchiveError> {
        self.near.begin(stream_ms);
        self.message(Level::Batch, payload, out).map(drop)
    }

    fn message(&mut self, level: Level, mut bytes: &[u8], out: &mut Columns) -> Result<(), ArchiveError> {
        self.events += u32::from(level == Level::Event);
        let mut shape: Vec<u16> = Vec::with_capacity(24);
        // Of the entry that is repeated.
        let mut repeats: Option<(Key, u64)> = None;
        while !bytes.is_empty() {
            let key = Key::from_wire(take_varint(&mut bytes)?)?;
            match &mut repeats {
                Some((last, count)) if *last == key => *count += 1,
                _ => {
                    if let Some((last, count)) = repeats.take() {
                        out.varint(level.repeats(last), count)?;
                    }
                    shape.push(key.to_wire());
                    repeats = level.is_repeated(key).then_some((key, 1));
                }
            }
            self.field(level, key, &mut bytes, out)?;
        }
        if let Some((last, count)) = repeats {
            out.varint(level.repeats(last), count)?;
        }
        let Some(known) = self.shapes.get_mut(level as usize) else { return Err(ArchiveError::Damaged("a level")) };
        let next = known.len() as u64;
        let index = if let Some(index) = known.get(&shape) {
            *index
        } else {
            out.varint(level.definitions(), shape.len() as u64)?;
            for key in &shape {
                out.varint(level.definitions(), u64::from(*key))?;
            }
            known.insert(shape, next);
            next
        };
        out.varint(level.shapes(), index)
    }

    fn field(&mut self, level: Level, key: Key, bytes: &mut &[u8], out: &mut Columns) -> Result<(), ArchiveError> {
        let column = level.column(key.to_wire());
        match key.kind {
            Kind::Varint => {
                let value = take_varint(bytes)?;
                let written = self.near.of(level, key).map_or(value, |near| zigzag(value.wrapping_sub(near)));
                self.near.learn_number(level, key, value);
                out.varint(column, written)
            }
            Kind::Fixed64 => out.bytes(column, take(bytes, 8)?),
            Kind::Fixed32 => out.bytes(column, take(bytes, 4)?),
            Kind::Length => {
                let field = take_length(bytes)?;
                if let Some(below) = level.below(key) {
                    return self.message(below, field, out);
                }
                self.near.learn_bytes(level, key, field);
                out.varint(column, field.len() as u64)?;
                out.bytes(level.bytes(key), field)
            }
        }
    }
}

/// Puts batches together again.
pub(super) struct Joiner {
    near: Near,
    shapes: [Vec<Vec<Key>>; 3],
    /// Bytes that may still be made: what is damaged must not fill the memory.
    left: usize,
}

impl Joiner {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { near: Near::default(), shapes: Default::default(), left: bytes_max }
    }

    /// Producer and number of the batch that was put together last.
    pub(super) fn producer(&self) -> (&[u8], u64) {
        (&self.near.producer, self.near.number)
    }

    /// The next batch.
    pub(super) fn join(&mut self, stream_ms: u64, columns: &mut Reading) -> Result<Vec<u8>, ArchiveError> {
        self.near.begin(stream_ms);
        let mut payload = Vec::new();
        self.message(Level::Batch, columns, &mut payload)?;
        Ok(payload)
    }

    fn shape(&mut self, level: Level, columns: &mut Reading) -> Result<Vec<Key>, ArchiveError> {
        let damaged = || ArchiveError::Damaged("a shape");
        let known = self.shapes.get_mut(level as usize).ok_or_else(damaged)?;
        let index = usize::try_from(columns.varint(level.shapes())?).map_err(|_| damaged())?;
        if index == known.len() {
            let count = columns.varint(level.definitions())?;
            if count > FIELDS_MAX as u64 {
                return Err(damaged());
            }
            let keys: Result<Vec<Key>, ArchiveError> =
                (0..count).map(|_| Ok(Key::from_wire(columns.varint(level.definitions())?)?)).collect();
            known.push(keys?);
        }
        known.get(index).cloned().ok_or_else(damaged)
    }

    fn message(&mut self, level: Level, columns: &mut Reading, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        for key in self.shape(level, columns)? {
            let repeats = if level.is_repeated(key) { columns.varint(level.repeats(key))? } else { 1 };
            for _ in 0..repeats {
                let before = out.len();
                put_varint(u64::from(key.to_wire()), out);
                self.field(level, key, columns, out)?;
                self.left = self.left.checked_sub(out.len() - before).ok_or(ArchiveError::Damaged("the size of a block"))?;
            }
        }
        Ok(())
    }

    fn field(&mut self, level: Level, key: Key, columns: &mut Reading, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        let column = level.column(key.to_wire());
        match key.kind {
            Kind::Varint => {
                let written = columns.varint(column)?;
                let value = self.near.of(level, key).map_or(written, |near| near.wrapping_add(unzigzag(written)));
                self.near.learn_number(level, key, value);
                put_varint(value, out);
            }
            Kind::Fixed64 => columns.bytes(column, 8, out)?,
            Kind::Fixed32 => columns.bytes(column, 4, out)?,
            Kind::Length => {
                if let Some(below) = level.below(key) {
                    let mut field = Vec::new();
                    self.message(below, columns, &mut field)?;
                    put_varint(field.len() as u64, out);
                    out.extend(field);
                    return Ok(());
                }
                let count = columns.varint(column)?;
                put_varint(count, out);
                let count = usize::try_from(count).map_err(|_| ArchiveError::Damaged("a length"))?;
                let before = out.len();
                columns.bytes(level.bytes(key), count, out)?;
                self.near.learn_bytes(level, key, out.get(before..).unwrap_or_default());
            }
        }
        Ok(())
    }
}
