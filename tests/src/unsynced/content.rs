//! The bytes of one file: as they are read now, and as a power cut leaves them.

use std::collections::BTreeSet;

/// Unit in which content reaches the disk.
pub const PAGE_BYTES: usize = 4096;

/// Content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    now: Vec<u8>,
    safe: Vec<u8>,
    /// Pages of `now` that differ, or may differ, from `safe`.
    changed: BTreeSet<usize>,
}

impl Content {
    /// Its size now, bytes.
    pub(super) fn size(&self) -> u64 {
        self.now.len() as u64
    }

    /// What is not safe, bytes: changed pages, and the size if it differs.
    pub(super) fn unsafe_bytes(&self) -> u64 {
        let resized = self.now.len().abs_diff(self.safe.len());
        (self.changed.len() * PAGE_BYTES).max(resized) as u64
    }

    /// At most `size` bytes from `offset`.
    pub(super) fn read(&self, offset: u64, size: usize) -> &[u8] {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.now.len());
        let end = start.saturating_add(size).min(self.now.len());
        self.now.get(start..end).unwrap_or_default()
    }

    /// Writes; a gap before `offset` reads as zeros.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len());
        if end > self.now.len() {
            self.resize(end);
        }
        if let Some(target) = self.now.get_mut(offset..end) {
            target.copy_from_slice(bytes);
        }
        self.touch(offset, end);
    }

    /// Cuts off, or lengthens with zeros.
    pub(super) fn resize(&mut self, size: usize) {
        let before = self.now.len();
        self.now.resize(size, 0);
        self.touch(before.min(size), before.max(size));
    }

    fn touch(&mut self, start: usize, end: usize) {
        self.changed.extend(start / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
    }

    /// Makes all of it safe.
    pub(super) fn sync(&mut self) {
        self.safe.resize(self.now.len(), 0);
        for page in std::mem::take(&mut self.changed) {
            copy_page(page, &self.now, &mut self.safe);
        }
    }

    /// What a power cut leaves: the safe bytes, and by `chance` (asked once for the size, then for each page) some of the others.
    pub(super) fn cut(&mut self, chance: &mut impl FnMut() -> bool) {
        if chance() {
            self.safe.resize(self.now.len(), 0);
        }
        for page in std::mem::take(&mut self.changed) {
            if chance() {
                copy_page(page, &self.now, &mut self.safe);
            }
        }
        self.now.clone_from(&self.safe);
    }
}

/// Copies a page as far as both have it.
fn copy_page(page: usize, from: &[u8], to: &mut [u8]) {
    let start = page * PAGE_BYTES;
    let end = (start + PAGE_BYTES).min(from.len()).min(to.len());
    if let (Some(from), Some(to)) = (from.get(start..end), to.get_mut(start..end)) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(content: &Content, survives: bool) -> Vec<u8> {
        let mut content = content.clone();
        content.cut(&mut || survives);
        content.read(0, usize::MAX).to_vec()
    }

    #[test]
    fn only_what_was_synced_is_left() {
        let mut content = Content::default();
        content.write(0, b"safe");
        content.sync();
        content.write(2, b"lost or not");
        assert_eq!(content.read(0, 100), b"salost or not");
        assert_eq!((cut(&content, false), cut(&content, true)), (b"safe".to_vec(), b"salost or not".to_vec()));
        content.sync();
        assert_eq!(cut(&content, false), b"salost or not");
    }

    #[test]
    fn cutting_off_is_no_safer_than_writing() {
        let mut content = Content::default();
        content.write(0, &[7; 3 * PAGE_BYTES]);
        content.sync();
        content.resize(10);
        assert_eq!((content.size(), cut(&content, false).len(), cut(&content, true)), (10, 3 * PAGE_BYTES, vec![7; 10]));
        // Lengthened again, the former bytes must not shine through.
        content.resize(PAGE_BYTES);
        content.sync();
        assert_eq!(cut(&content, false), [vec![7; 10], vec![0; PAGE_BYTES - 10]].concat());
    }

    #[test]
    fn pages_survive_one_by_one() {
        let mut content = Content::default();
        content.write(0, &[1; 2 * PAGE_BYTES]);
        content.sync();
        content.write(0, &[2; 2 * PAGE_BYTES]);
        let mut coins = [false, false, true].into_iter();
        content.cut(&mut || coins.next().unwrap());
        assert_eq!(content.read(0, usize::MAX), [vec![1; PAGE_BYTES], vec![2; PAGE_BYTES]].concat());
        assert_eq!(content.unsafe_bytes(), 0);
    }

    #[test]
    fn gaps_are_zeros_and_reads_end_with_the_file() {
        let mut content = Content::default();
        content.write(5, b"x");
        assert_eq!(content.read(0, 100), b"\0\0\0\0\0x");
        assert_eq!((content.read(6, 1), content.read(u64::MAX, 1)), (&b""[..], &b""[..]));
    }
}
