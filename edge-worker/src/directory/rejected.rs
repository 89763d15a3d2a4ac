//! Refused payloads on their way to the region's stream: a queue in memory. They are a help to operators, no promise: when there is no room
//! the oldest go.

use std::collections::VecDeque;

use bytes::Bytes;

/// Most payloads that wait.
const PAYLOADS_MAX: usize = 1_000;
/// Most bytes of them.
const BYTES_MAX: usize = 4_000_000;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    payloads: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    /// Takes payloads, one a line.
    pub(crate) fn push_lines(&mut self, lines: &Bytes) {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line.len() <= BYTES_MAX) {
            self.bytes += line.len();
            self.payloads.push_back(lines.slice_ref(line));
            while self.payloads.len() > PAYLOADS_MAX || self.bytes > BYTES_MAX {
                self.pop();
            }
        }
    }

    /// The next payload; it stays until it is taken away.
    pub(crate) fn front(&self) -> Option<Bytes> {
        self.payloads.front().cloned()
    }

    /// Takes the next payload away.
    pub(crate) fn pop(&mut self) {
        if let Some(payload) = self.payloads.pop_front() {
            self.bytes -= payload.len();
        }
    }

    /// Takes all away.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go() {
        let mut queue = Queue::default();
        queue.push_lines(&Bytes::from_static(b"a\n\nb\n"));
        assert_eq!(queue.front().as_deref(), Some(b"a".as_slice()));
        queue.pop();
        assert_eq!(queue.front().as_deref(), Some(b"b".as_slice()));
        for i in 0..PAYLOADS_MAX {
            queue.push_lines(&Bytes::from(format!("{i}\n")));
        }
        assert_eq!(queue.front().as_deref(), Some(b"0".as_slice()));
        queue.push_lines(&Bytes::from(vec![b'x'; BYTES_MAX]));
        assert_eq!(queue.front().map(|front| front.len()), Some(BYTES_MAX));
        queue.pop();
        queue.pop();
        assert!(queue.is_empty() && queue.bytes == 0);
    }
}
