//! Lines of a file of any size, in memory one at a time.

use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Read};

/// Longest line that is looked at, bytes.
pub(super) const LINE_BYTES_MAX: usize = 1_000_000;

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// More than [`LINE_BYTES_MAX`] bytes; they were passed over.
    TooLong,
}

/// Reads line by line and computes the digest of what it read.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    hasher: Sha256,
    bytes_read: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(1 << 18, input), line: Vec::new(), hasher: Sha256::new(), bytes_read: 0 }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut is_too_long = false;
        let mut is_started = false;
        loop {
            let available = self.input.fill_buf()?;
            if available.is_empty() {
                break;
            }
            is_started = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let (consumed, _) = available.split_at(taken);
            self.hasher.update(consumed);
            let content = consumed.strip_suffix(b"\n").unwrap_or(consumed);
            is_too_long |= self.line.len() + content.len() > LINE_BYTES_MAX;
            if is_too_long {
                self.line.clear();
            } else {
                self.line.extend_from_slice(content);
            }
            self.input.consume(taken);
            self.bytes_read += taken as u64;
            if end.is_some() {
                break;
            }
        }
        if !is_started {
            return Ok(None);
        }
        if is_too_long {
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Whole(self.line.strip_suffix(b"\r").unwrap_or(&self.line))))
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// SHA-256 of what was read so far.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong => "too long".to_owned(),
            });
        }
        assert_eq!(lines.bytes_read(), text.len() as u64);
        assert_eq!(lines.digest(), <[u8; 32]>::from(Sha256::digest(text)));
        found
    }

    #[test]
    fn line_ends() {
        assert_eq!(all(b""), [""; 0]);
        assert_eq!(all(b"a\nb"), ["a", "b"]);
        assert_eq!(all(b"a\r\n\nb\n"), ["a", "", "b"]);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over() {
        let mut text = b"first\n".to_vec();
        text.extend(vec![b'x'; LINE_BYTES_MAX + 1]);
        text.extend(b"\nlast\n");
        text.extend(vec![b'y'; LINE_BYTES_MAX]);
        let found = all(&text);
        assert_eq!(found[..3], ["first", "too long", "last"]);
        assert_eq!(found[3].len(), LINE_BYTES_MAX);
        assert_eq!(found.len(), 4);
    }
}
