//! Bytes by column: each column is compressed by itself, and found by its number.

use super::ArchiveError;
use super::wire::{self, put_varint};

/// Numbers of columns are below this.
pub(super) const COLUMNS_MAX: u16 = 4 << 11;
/// Largest column after decompression, bytes: a block has at most [`super::BLOCK_BYTES_MAX`] of them together.
const COLUMN_BYTES_MAX: usize = super::BLOCK_BYTES_MAX;
/// Bytes of a column's entry in the table: number, size, stored size.
const ENTRY_BYTES: usize = 10;

/// Columns that are written.
pub(super) struct Columns {
    /// By number, where in `filled`; from 1.
    places: Vec<u16>,
    filled: Vec<(u16, Vec<u8>)>,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self { places: vec![0; usize::from(COLUMNS_MAX)], filled: Vec::new() }
    }

    /// The column of a number (below [`COLUMNS_MAX`]).
    pub(super) fn at(&mut self, number: u16) -> Result<&mut Vec<u8>, ArchiveError> {
        let place = self.places.get_mut(usize::from(number)).ok_or(ArchiveError::Damaged("the number of a column"))?;
        if *place == 0 {
            self.filled.push((number, Vec::new()));
            *place = self.filled.len() as u16;
        }
        let place = usize::from(*place) - 1;
        self.filled.get_mut(place).map(|(_, bytes)| bytes).ok_or(ArchiveError::Damaged("the number of a column"))
    }

    pub(super) fn varint(&mut self, number: u16, value: u64) -> Result<(), ArchiveError> {
        put_varint(value, self.at(number)?);
        Ok(())
    }

    pub(super) fn bytes(&mut self, number: u16, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.at(number)?.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a table of the columns, and the columns, each as Zstandard gives it or, where that is not shorter, as it is.
    pub(super) fn store(mut self, level: i32, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        let mut compressor = zstd::bulk::Compressor::new(level).map_err(ArchiveError::Compression)?;
        self.filled.sort_unstable_by_key(|(number, _)| *number);
        let mut stored = Vec::with_capacity(self.filled.len());
        for (number, bytes) in self.filled {
            let compressed = compressor.compress(&bytes).map_err(ArchiveError::Compression)?;
            let size = bytes.len();
            stored.push((number, size, if compressed.len() < size { compressed } else { bytes }));
        }
        out.extend((stored.len() as u16).to_le_bytes());
        for (number, size, bytes) in &stored {
            out.extend(number.to_le_bytes());
            out.extend((*size as u32).to_le_bytes());
            out.extend((bytes.len() as u32).to_le_bytes());
        }
        for (_, _, bytes) in stored {
            out.extend(bytes);
        }
        Ok(())
    }
}

/// Size of all columns after decompression, by their table.
pub(super) fn raw_bytes(mut bytes: &[u8]) -> Result<usize, ArchiveError> {
    let count = super::take_number::<2>(&mut bytes)?;
    let mut sum = 0_usize;
    for _ in 0..count {
        super::take_number::<2>(&mut bytes)?;
        sum = sum.saturating_add(super::take_number::<4>(&mut bytes)? as usize);
        super::take_number::<4>(&mut bytes)?;
    }
    Ok(sum)
}

/// Columns that are read.
pub(super) struct Reading {
    places: Vec<u16>,
    columns: Vec<(Vec<u8>, usize)>,
}

impl Reading {
    /// Reads what [`Columns::store`] wrote, to its end.
    pub(super) fn load(mut bytes: &[u8]) -> Result<Self, ArchiveError> {
        let short = ArchiveError::Damaged("the table of columns");
        let count = usize::from(super::take_number::<2>(&mut bytes)? as u16);
        let (mut table, mut data) = bytes.split_at_checked(count * ENTRY_BYTES).ok_or(short)?;
        let mut reading = Self { places: vec![0; usize::from(COLUMNS_MAX)], columns: Vec::with_capacity(count) };
        let mut all_bytes = 0_usize;
        let mut decompressor = zstd::bulk::Decompressor::new().map_err(ArchiveError::Compression)?;
        for _ in 0..count {
            let number = super::take_number::<2>(&mut table)? as usize;
            let size = super::take_number::<4>(&mut table)? as usize;
            let stored = super::take_number::<4>(&mut table)? as usize;
            all_bytes = all_bytes.saturating_add(size);
            let damaged = || ArchiveError::Damaged("a column");
            if all_bytes > COLUMN_BYTES_MAX || stored > size {
                return Err(damaged());
            }
            let stored = wire::take(&mut data, stored).map_err(|_| damaged())?;
            let column = if stored.len() == size {
                stored.to_vec()
            } else {
                decompressor.decompress(stored, size).map_err(ArchiveError::Compression)?
            };
            let place = reading.places.get_mut(number).filter(|place| **place == 0).ok_or_else(damaged)?;
            if column.len() != size {
                return Err(damaged());
            }
            reading.columns.push((column, 0));
            *place = reading.columns.len() as u16;
        }
        Ok(reading)
    }

    /// What is left of a column; of one that is not there, nothing.
    fn rest(&mut self, number: u16) -> Option<(&[u8], &mut usize)> {
        let place = usize::from(*self.places.get(usize::from(number))?).checked_sub(1)?;
        let (bytes, position) = self.columns.get_mut(place)?;
        Some((bytes.get(*position..)?, position))
    }

    pub(super) fn varint(&mut self, number: u16) -> Result<u64, ArchiveError> {
        let ended = ArchiveError::Damaged("a column of numbers");
        let Some((mut rest, position)) = self.rest(number) else { return Err(ended) };
        let before = rest.len();
        let value = wire::take_varint(&mut rest).map_err(|_| ended)?;
        *position += before - rest.len();
        Ok(value)
    }

    /// Appends the next bytes of a column.
    pub(super) fn bytes(&mut self, number: u16, count: usize, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        if count == 0 {
            return Ok(());
        }
        let ended = ArchiveError::Damaged("a column of bytes");
        let Some((rest, position)) = self.rest(number) else { return Err(ended) };
        out.extend_from_slice(rest.get(..count).ok_or(ended)?);
        *position += count;
        Ok(())
    }

    /// Whether every column was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.columns.iter().all(|(bytes, position)| bytes.len() == *position)
    }
}
