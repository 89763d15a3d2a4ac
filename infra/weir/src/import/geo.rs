//! Country of an address, from a table of ranges in memory.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

/// Most ranges of a table: some ten times what there are.
const RANGES_MAX: usize = 5_000_000;

/// A range of addresses, both ends included.
#[derive(Clone, Copy, Debug)]
struct Range<N> {
    first: N,
    last: N,
    country: [u8; 2],
}

/// Ranges of both kinds of addresses, ascending: 12 and 40 bytes each, 13 MB in all.
#[derive(Debug, Default)]
pub(super) struct Countries {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u128>>,
}

impl Countries {
    /// Reads two files with lines `first,last,country`, addresses as decimal numbers.
    pub(super) fn load(v4: &Path, v6: &Path) -> Result<Self> {
        Ok(Self { v4: read(v4)?, v6: read(v6)? })
    }

    /// The country's code of two letters; empty when it is not known.
    pub(super) fn of(&self, address: IpAddr) -> &str {
        let country = match address {
            IpAddr::V4(v4) => find(&self.v4, u32::from(v4)),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => find(&self.v4, u32::from(v4)),
                None => find(&self.v6, u128::from(v6)),
            },
        };
        country.and_then(|code| std::str::from_utf8(code).ok()).unwrap_or_default()
    }
}

fn find<N: Ord + Copy>(ranges: &[Range<N>], address: N) -> Option<&[u8; 2]> {
    let after = ranges.partition_point(|range| range.first <= address);
    ranges.get(after.checked_sub(1)?).filter(|range| address <= range.last).map(|range| &range.country)
}

fn read<N: FromStr + Ord + Copy>(path: &Path) -> Result<Vec<Range<N>>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut ranges = Vec::new();
    for line in BufReader::new(file).lines().take(RANGES_MAX) {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if let Some(range) = parse(&line) {
            ranges.push(range);
        }
    }
    ranges.sort_by_key(|range: &Range<N>| range.first);
    ranges.shrink_to_fit();
    Ok(ranges)
}

fn parse<N: FromStr>(line: &str) -> Option<Range<N>> {
    let mut fields = line.trim().split(',');
    let (first, last) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let country: [u8; 2] = fields.next()?.as_bytes().try_into().ok()?;
    country.iter().all(u8::is_ascii_uppercase).then_some(Range { first, last, country })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_that_holds_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let (v4, v6) = (folder.path().join("v4"), folder.path().join("v6"));
        std::fs::write(&v4, "16777472,16778239,CN\n16777216,16777471,AU\nnonsense\n16778240,16779263,au\n").unwrap();
        std::fs::write(&v6, "42540488320432167789079031612388147200,42540488320433376714898646241562853375,JP\n").unwrap();
        let countries = Countries::load(&v4, &v6).unwrap();
        for (address, expected) in [
            ("1.0.0.0", "AU"),
            ("1.0.0.255", "AU"),
            ("1.0.1.0", "CN"),
            ("1.0.3.255", "CN"),
            ("1.0.4.0", ""),
            ("0.255.255.255", ""),
            ("::ffff:1.0.0.1", "AU"),
            ("2001:2::", "JP"),
            ("2001:2::ffff:ffff:ffff:ffff:ffff", "JP"),
            ("2001:2:1::", ""),
        ] {
            assert_eq!(countries.of(address.parse().unwrap()), expected, "{address}");
        }
    }
}
