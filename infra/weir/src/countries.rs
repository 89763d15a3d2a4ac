//! The table of addresses and countries in the home: made from files of ranges, read by the edge and by imports.

use crate::home::Home;
use crate::installation::Installation;
use crate::output::Output;
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use weir_event::place::{Countries, Country, encode};

/// The table, in the home.
const TABLE: &str = "geo/countries.bin";
/// Where it comes from and under which licence, beside it.
const NOTICE: &str = "geo/NOTICE";
/// Most ranges that are read of a file: some ten times what there are.
const RANGES_MAX: usize = 5_000_000;
/// Largest table that is read back, bytes: a few million entries.
const TABLE_BYTES_MAX: u64 = 64_000_000;
/// No country.
const UNKNOWN: Country = [0, 0];
/// Notice of the table that the setup brings.
const PINNED_NOTICE: &str = "countries.bin is made from the npm package @ip-location-db/geo-whois-asn-country: CC0 1.0, with statistics of the\n\
     Number Resource Organization (https://www.nro.net), CC BY 4.0.\n";

/// The files of ranges that the setup brings, IPv4 and IPv6.
fn pinned() -> Result<[PathBuf; 2]> {
    let installation = Installation::find()?;
    Ok([
        installation.file(".tools/geo/country-ipv4.csv", "make setup")?,
        installation.file(".tools/geo/country-ipv6.csv", "make setup")?,
    ])
}

/// Makes the table when it is missing or older than the files that the setup brings. One that was refreshed since stays.
pub(crate) fn ensure(home: &Home) -> Result<()> {
    let [v4, v6] = pinned()?;
    let made = modified(&home.path(TABLE)).ok();
    if made.is_some_and(|made| [&v4, &v6].iter().all(|file| modified(file).is_ok_and(|changed| changed <= made))) {
        return Ok(());
    }
    write(home, &v4, &v6, PINNED_NOTICE).map(|_| ())
}

/// The table of the home, made at first.
pub(crate) fn load(home: &Home) -> Result<Countries> {
    home.create_folder("geo")?;
    ensure(home)?;
    let path = home.path(TABLE);
    let size = std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size > TABLE_BYTES_MAX {
        bail!("{} has {size} bytes, that cannot be a country table: remove it", path.display());
    }
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Countries::parse(bytes).with_context(|| format!("{} is damaged: remove it", path.display()))
}

/// What the home's table is, for `weir doctor`.
pub(crate) fn describe(home: &Home) -> Result<String> {
    let path = home.path(TABLE);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}: run `weir countries refresh`", path.display()))?;
    let size = bytes.len();
    Countries::parse(bytes).with_context(|| format!("{}: run `weir countries refresh`", path.display()))?;
    Ok(format!("{} ({} kB)", path.display(), size / 1_000))
}

/// `weir countries refresh`: makes the table anew; a running edge takes it within a minute.
pub(crate) fn refresh(home: &Home, ipv4: Option<&Path>, ipv6: Option<&Path>, output: Output) -> Result<()> {
    let (files, notice) = match (ipv4, ipv6) {
        (Some(v4), Some(v6)) => {
            let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let notice =
                format!("countries.bin is made from {} and {}; the licence is that of these files.\n", name(v4), name(v6));
            ([v4.to_path_buf(), v6.to_path_buf()], notice)
        }
        _ => (pinned()?, PINNED_NOTICE.to_owned()),
    };
    home.create_folder("geo")?;
    let [v4, v6] = &files;
    let made = write(home, v4, v6, &notice)?;
    let path = home.path(TABLE);
    let text = format!(
        "{} made from {} IPv4 and {} IPv6 ranges ({} bytes): a running edge takes it within a minute",
        path.display(),
        made.v4_ranges,
        made.v6_ranges,
        made.bytes
    );
    output.result(
        &serde_json::json!({ "file": path, "ipv4_ranges": made.v4_ranges, "ipv6_ranges": made.v6_ranges, "bytes": made.bytes }),
        &text,
    )
}

/// What a table was made of.
struct Made {
    v4_ranges: usize,
    v6_ranges: usize,
    bytes: usize,
}

fn write(home: &Home, v4: &Path, v6: &Path, notice: &str) -> Result<Made> {
    let (v4, v6) = (read(v4, v4_address)?, read(v6, v6_network)?);
    let bytes = encode(&entries(&v4), &entries(&v6)).context("the ranges make no table")?;
    // What could not be read back must not replace what can.
    let table = Countries::parse(bytes.clone()).context("the ranges make no table")?;
    drop(table);
    home.replace(NOTICE, notice.as_bytes())?;
    home.replace(TABLE, &bytes)?;
    Ok(Made { v4_ranges: v4.len(), v6_ranges: v6.len(), bytes: bytes.len() })
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    std::fs::metadata(path)?.modified()
}

/// A range of addresses, both ends included.
#[derive(Clone, Copy, Debug)]
struct Range<N> {
    first: N,
    last: N,
    country: Country,
}

/// A kind of number that addresses are counted with.
trait Number: Ord + Copy {
    /// The next one; `None` after the last.
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u64 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Reads lines `first,last,country`; other lines are passed over.
fn read<N: Number>(path: &Path, address: fn(&str) -> Option<N>) -> Result<Vec<Range<N>>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut ranges = Vec::new();
    for line in BufReader::new(file).lines().take(RANGES_MAX) {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        ranges.extend(parse(&line, address));
    }
    if ranges.is_empty() {
        bail!(
            "{} holds no ranges of this kind of address: lines are first,last,country like 16777216,16777471,AU",
            path.display()
        );
    }
    ranges.sort_by_key(|range| range.first);
    Ok(ranges)
}

fn parse<N: Number>(line: &str, address: fn(&str) -> Option<N>) -> Option<Range<N>> {
    let mut fields = line.trim().split(',').map(|field| field.trim_matches('"'));
    let (first, last) = (address(fields.next()?)?, address(fields.next()?)?);
    let country: Country = fields.next()?.as_bytes().try_into().ok()?;
    (first <= last && country.iter().all(u8::is_ascii_uppercase)).then_some(Range { first, last, country })
}

/// A decimal number or the usual text of an address.
fn v4_address(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| match text.parse() {
        Ok(IpAddr::V4(address)) => Some(address.to_bits()),
        _ => None,
    })
}

/// The upper half of an address: a network has no smaller parts that matter.
fn v6_network(text: &str) -> Option<u64> {
    let number: u128 = text.parse().ok().or_else(|| text.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits))?;
    u64::try_from(number >> 64).ok()
}

/// Ascending ranges to where each country begins; between ranges no country is known. Of ranges that overlap the earlier one wins.
fn entries<N: Number>(ranges: &[Range<N>]) -> Vec<(N, Country)> {
    let mut entries: Vec<(N, Country)> = Vec::with_capacity(ranges.len() * 2);
    // The first address that no range before covers.
    let mut free: Option<N> = None;
    let mut is_full = false;
    for range in ranges {
        if is_full || free.is_some_and(|free| range.last < free) {
            continue;
        }
        let first = free.map_or(range.first, |free| range.first.max(free));
        if let Some(free) = free
            && free < first
        {
            entries.push((free, UNKNOWN));
        }
        entries.push((first, range.country));
        free = range.last.next();
        is_full = free.is_none();
    }
    entries.extend(free.map(|free| (free, UNKNOWN)));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V4: &str = "16777472,16778239,CN\n16777216,16777471,AU\nnonsense\n16778240,16779263,au\n\"9.0.0.0\",9.0.0.255,DE\n4294967040,4294967295,NO\n";
    const V6: &str = "42540488320432167789079031612388147200,42540488320433376714898646241562853375,JP\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,FR\n";

    #[test]
    fn the_range_that_holds_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        home.create().unwrap();
        let (v4, v6) = (home.path("v4"), home.path("v6"));
        std::fs::write(&v4, V4).unwrap();
        std::fs::write(&v6, V6).unwrap();
        refresh(&home, Some(&v4), Some(&v6), Output::new(false)).unwrap();
        let table = Countries::parse(std::fs::read(home.path(TABLE)).unwrap()).unwrap();
        for (address, expected) in [
            ("1.0.0.0", Some("AU")),
            ("1.0.0.255", Some("AU")),
            ("1.0.1.0", Some("CN")),
            ("1.0.3.255", Some("CN")),
            ("1.0.4.0", None),
            ("0.255.255.255", None),
            ("9.0.0.7", Some("DE")),
            ("9.0.1.0", None),
            ("255.255.255.255", Some("NO")),
            ("2001:2::", Some("JP")),
            ("2001:2:0:ffff:ffff:ffff:ffff:ffff", Some("JP")),
            ("2001:2:1::", None),
            ("2001:db8:1::1", Some("FR")),
            ("2001:db9::1", None),
        ] {
            assert_eq!(table.country(&address.parse().unwrap()), expected, "{address}");
        }
        assert!(std::fs::read_to_string(home.path(NOTICE)).unwrap().contains("v4 and v6"));
        // A wrong file changes nothing.
        std::fs::write(&v4, "first,last\n").unwrap();
        assert!(refresh(&home, Some(&v4), Some(&v6), Output::new(false)).unwrap_err().to_string().contains("no ranges"));
        assert!(Countries::parse(std::fs::read(home.path(TABLE)).unwrap()).is_ok());
    }

    proptest! {
        #[test]
        fn entries_say_what_the_first_range_says(mut bounds in prop::collection::vec((0_u32..60, 0_u32..8), 0..12), wanted in 0_u32..80) {
            bounds.sort_unstable();
            let ranges: Vec<Range<u32>> = (b'A'..)
                .zip(&bounds)
                .map(|(letter, (first, length))| Range { first: *first, last: first + length, country: [letter, b'X'] })
                .collect();
            let entries = entries(&ranges);
            prop_assert!(entries.is_sorted_by(|(a, _), (b, _)| a < b));
            let found = entries.iter().rfind(|(first, _)| *first <= wanted).map_or(UNKNOWN, |(_, country)| *country);
            let expected = ranges.iter().find(|range| (range.first..=range.last).contains(&wanted));
            prop_assert_eq!(found, expected.map_or(UNKNOWN, |range| range.country));
        }
    }
}
