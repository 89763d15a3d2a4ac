//! What commits make of the archive's list: it has no gap, and ends at `archived_seq`.

use super::{ArchiveObject, Manifest};

impl Manifest {
    /// Whether an object can be listed next: it begins where the archive ends, holds nothing that is not sealed, and is not the wrong way round.
    fn continues_archive(&self, object: &ArchiveObject) -> bool {
        object.first_seq == self.archived_seq + 1 && object.last_seq >= object.first_seq && object.last_seq <= self.sealed_seq
    }

    /// Lists raw batches that were sealed earlier or are sealed by this commit; `false` = they do not go on where the archive ends, nothing is changed.
    pub fn append_archive(&mut self, object: ArchiveObject) -> bool {
        if !self.continues_archive(&object) {
            return false;
        }
        self.archived_seq = object.last_seq;
        self.look_into_archive(object.first_seq);
        self.archive.push(object);
        true
    }

    /// Begins the archive anew before a sequence, where raw batches in between are nowhere any more; `false` = there is no such gap, nothing is changed.
    pub fn restart_archive(&mut self, first_seq: u64) -> bool {
        if first_seq <= self.archived_seq + 1 || first_seq > self.sealed_seq + 1 {
            return false;
        }
        self.archive.clear();
        self.archived_seq = first_seq - 1;
        true
    }

    /// Puts objects in the place of others that hold the same stretch of the stream; `false` = those are not all listed any more, or the stretch is
    /// another, nothing is changed.
    pub fn exchange_archive(&mut self, replaced: &[String], outputs: Vec<ArchiveObject>) -> bool {
        let Some(start) = self.archive.iter().position(|object| replaced.first() == Some(&object.name)) else { return false };
        let end = start + replaced.len();
        let Some(stretch) = self.archive.get(start..end) else { return false };
        let is_same = stretch.iter().map(|object| &object.name).eq(replaced);
        let reach = |objects: &[ArchiveObject]| Some((objects.first()?.first_seq, objects.last()?.last_seq));
        let has_no_gap = outputs.windows(2).all(|pair| matches!(pair, [a, b] if a.last_seq + 1 == b.first_seq));
        if !is_same || !has_no_gap || reach(stretch) != reach(&outputs) {
            return false;
        }
        self.archive.splice(start..end, outputs);
        true
    }

    /// Forgets raw batches that are all older than a time (JetStream's, Unix milliseconds); `false` = there are none, nothing is changed.
    ///
    /// The newest object stays: the archive's end must be seen to be its end.
    pub fn expire_archive(&mut self, before_ms: u64) -> bool {
        let newest = self.archive.len().saturating_sub(1);
        let expired = self.archive.iter().take(newest).take_while(|object| object.last_stream_ms < before_ms).count();
        self.archive.drain(..expired);
        expired > 0
    }
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
            first_stream_ms: first_seq * 10,
            last_stream_ms: last_seq * 10,
            events: 1,
        }
    }

    fn manifest(sealed_seq: u64, objects: &[(u64, u64)]) -> Manifest {
        let mut manifest = Manifest { sealed_seq, ..Manifest::nothing("local", 0, "S", "t") };
        for (first, last) in objects {
            assert!(manifest.append_archive(object(*first, *last)));
        }
        manifest
    }

    fn listed(manifest: &Manifest) -> Vec<&str> {
        manifest.archive.iter().map(|object| object.name.as_str()).collect()
    }

    #[test]
    fn only_what_goes_on_without_a_gap_is_listed() {
        let before = manifest(9, &[(1, 5)]);
        for (first, last, fits) in [(6, 9, true), (6, 6, true), (6, 10, false), (5, 9, false), (7, 9, false), (6, 5, false)] {
            let mut after = before.clone();
            assert_eq!(after.append_archive(object(first, last)), fits, "{first} {last}");
            assert_eq!(after == before, !fits);
            assert_eq!(after.archived_seq, if fits { last } else { 5 });
        }
        let mut old = manifest(9, &[]);
        assert!(!old.append_archive(object(8, 9)), "a manifest of before the archive: what is earlier comes first");
    }

    #[test]
    fn a_gap_begins_the_archive_anew() {
        let mut after = manifest(9, &[(1, 5)]);
        for first_seq in [0, 1, 5, 6, 11] {
            assert!(!after.restart_archive(first_seq), "{first_seq}");
        }
        assert!(after.restart_archive(8));
        assert!(listed(&after).is_empty() && after.append_archive(object(8, 9)));
        let mut all_gone = manifest(9, &[]);
        assert!(all_gone.restart_archive(10));
        assert_eq!(all_gone.archived_seq, 9);
    }

    #[test]
    fn an_exchange_is_of_the_same_stretch() {
        let before = manifest(9, &[(1, 2), (3, 5), (6, 9)]);
        let exchanged = |replaced: &[&str], outputs: &[(u64, u64)]| {
            let mut after = before.clone();
            let replaced: Vec<String> = replaced.iter().map(|&name| name.to_owned()).collect();
            let outputs = outputs.iter().map(|(first, last)| object(*first, *last)).collect();
            let is_done = after.exchange_archive(&replaced, outputs);
            assert_eq!((after == before, after.archived_seq), (!is_done, 9));
            is_done.then(|| listed(&after).join(" "))
        };
        assert_eq!(exchanged(&["1-2", "3-5"], &[(1, 5)]).unwrap(), "1-5 6-9");
        assert_eq!(exchanged(&["3-5", "6-9"], &[(3, 3), (4, 9)]).unwrap(), "1-2 3-3 4-9");
        for (replaced, outputs) in [
            (&["1-2", "3-5"][..], &[(1, 4)][..]),
            (&["1-2", "3-5"], &[(1, 3), (5, 5)]),
            (&["1-2", "6-9"], &[(1, 9)]),
            (&["3-5", "1-2"], &[(1, 5)]),
            (&["6-9", "10-12"], &[(6, 12)]),
            (&["0-0"], &[(0, 0)]),
            (&["1-2"], &[]),
            (&[], &[(1, 1)]),
        ] {
            assert_eq!(exchanged(replaced, outputs), None, "{replaced:?} {outputs:?}");
        }
    }

    #[test]
    fn what_is_too_old_goes_and_the_end_stays() {
        for (before_ms, left) in [(0, "1-2 3-5 6-9"), (20, "1-2 3-5 6-9"), (21, "3-5 6-9"), (51, "6-9"), (1_000, "6-9")] {
            let mut after = manifest(9, &[(1, 2), (3, 5), (6, 9)]);
            let is_changed = after.expire_archive(before_ms);
            assert_eq!((listed(&after).join(" ").as_str(), is_changed), (left, left != "1-2 3-5 6-9"));
            assert_eq!(after.archived_seq, 9);
        }
    }
}
