//! Which parts go into one bundle: the small ones of about one age, so that few tables are read and a bundle lives for long.

use sha2::{Digest, Sha256};
use weir_rollup::manifest::{Level, Part};

/// A larger part is read by itself: there the rows cost more than the plan.
const PART_BYTES_MAX: u64 = 48_000_000;
/// Most that one bundle takes, by the size of its parts.
const BUNDLE_BYTES_MAX: u64 = 512_000_000;
/// Parts of flushes, and those of hours with them, are bundled anew every minute: only while that is cheap.
const YOUNG_ROWS_MAX: u64 = 50_000;

/// A bundle to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its parts, at least two.
    pub parts: Vec<Part>,
    /// Their event rows.
    pub rows: u64,
}

impl Wanted {
    /// Names of its parts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// Tells it by its parts.
    pub fn id(&self) -> String {
        use std::fmt::Write;
        let digest = Sha256::digest(self.names().collect::<Vec<_>>().join("\n"));
        digest.iter().take(16).fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
    }
}

/// The bundles that the parts of a manifest call for. No part is in two.
pub fn wanted(parts: &[Part]) -> Vec<Wanted> {
    let mut all = Vec::new();
    for levels in groups(parts) {
        let mut small: Vec<&Part> = small(parts, levels).collect();
        small.sort_by(|a, b| (a.min_event_ms, &a.name).cmp(&(b.min_event_ms, &b.name)));
        let mut bytes = 0;
        let mut group: Vec<&Part> = Vec::new();
        for part in small {
            if bytes + part.bytes > BUNDLE_BYTES_MAX {
                all.extend(bundle(&group));
                (bytes, group) = (0, Vec::new());
            }
            bytes += part.bytes;
            group.push(part);
        }
        all.extend(bundle(&group));
    }
    all
}

/// Levels whose parts are bundled together. Days change once a day and take the months along; flushes change every minute and take the hours
/// along while there is little of both.
fn groups(parts: &[Part]) -> Vec<&'static [Level]> {
    let rows = |levels: &[Level]| small(parts, levels).map(|part| part.rows).sum::<u64>();
    let mut groups: Vec<&'static [Level]> = vec![&[Level::Month, Level::Day]];
    if rows(&[Level::Hour, Level::Flush]) <= YOUNG_ROWS_MAX {
        groups.push(&[Level::Hour, Level::Flush]);
    } else {
        groups.push(&[Level::Hour]);
        if rows(&[Level::Flush]) <= YOUNG_ROWS_MAX {
            groups.push(&[Level::Flush]);
        }
    }
    groups
}

fn small<'a>(parts: &'a [Part], levels: &[Level]) -> impl Iterator<Item = &'a Part> {
    parts.iter().filter(|part| levels.contains(&part.level) && part.bytes < PART_BYTES_MAX && part.rows > 0)
}

fn bundle(group: &[&Part]) -> Option<Wanted> {
    let parts = group.iter().map(|part| (*part).clone()).collect();
    (group.len() >= 2).then(|| Wanted { parts, rows: group.iter().map(|part| part.rows).sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, level: Level, at_ms: i64, megabytes: u64) -> Part {
        Part {
            name: name.to_owned(),
            level,
            min_seq: 1,
            max_seq: 1,
            min_event_ms: at_ms,
            max_event_ms: at_ms,
            min_site_id: 1,
            max_site_id: 1,
            rows: megabytes * 20_000,
            bytes: megabytes * 1_000_000,
            content_checksum: String::new(),
            file_checksum: None,
            format: 2,
            ledger: None,
        }
    }

    fn names(parts: &[Part]) -> Vec<String> {
        wanted(parts).iter().map(|bundle| bundle.names().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn small_parts_of_an_age_join_in_the_order_of_time() {
        let parts = [
            part("m2", Level::Month, 2, 20),
            part("m1", Level::Month, 1, 20),
            part("large", Level::Month, 3, 100),
            part("d1", Level::Day, 4, 1),
            part("h1", Level::Hour, 5, 1),
            part("h2", Level::Hour, 6, 1),
            part("f1", Level::Flush, 7, 1),
            part("f2", Level::Flush, 8, 1),
        ];
        // A megabyte of these parts has 20,000 rows: too many to bundle the hours every minute.
        assert_eq!(names(&parts), ["m1 m2 d1", "h1 h2", "f1 f2"]);
        let few = [part("h1", Level::Hour, 5, 1), part("f1", Level::Flush, 7, 1)];
        assert_eq!(names(&few), ["h1 f1"]);
    }

    #[test]
    fn bundles_and_flushes_stay_below_their_sizes() {
        let months: Vec<Part> = (0..30).map(|at| part(&format!("m{at}"), Level::Month, at, 40)).collect();
        let sizes: Vec<usize> = wanted(&months).iter().map(|bundle| bundle.parts.len()).collect();
        assert_eq!(sizes, [12, 12, 6]);
        assert_eq!(names(&[part("f1", Level::Flush, 1, 2), part("f2", Level::Flush, 2, 2)]), [""; 0]);
    }

    #[test]
    fn the_name_follows_the_parts() {
        let of = |names: &[&str]| Wanted { parts: names.iter().map(|name| part(name, Level::Day, 1, 1)).collect(), rows: 1 }.id();
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["a", "c"]));
    }
}
