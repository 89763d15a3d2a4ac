//! Which country an address is in: a table small enough for the worker to hold.
//!
//! Version 1, little endian: the magic `WGEO1\n\0\0`; `u32` number of IPv4 entries, `u32` number of IPv6 entries; first addresses of the
//! IPv4 entries (`u32`, ascending) and their countries (two letters, two zeros = unknown); the same for IPv6 with the upper halves of the
//! first addresses (`u64`). An address belongs to the last entry that does not begin after it.

use std::net::IpAddr;

/// First bytes of a table.
const MAGIC: &[u8; 8] = b"WGEO1\n\0\0";
/// Most entries of either kind: 2 million take 12 and 20 MB.
pub const ENTRIES_MAX: usize = 2_000_000;

/// Why bytes are no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Another file, or another version.
    #[error("not a country table of version 1")]
    NoTable,
    /// More entries than are taken.
    #[error("country table has more than {ENTRIES_MAX} entries of one kind")]
    TooManyEntries,
    /// Shorter or longer than it says.
    #[error("country table is cut off or too long: {size_bytes} bytes, expected {expected_bytes}")]
    WrongSize {
        /// Size found.
        size_bytes: usize,
        /// Size by its own numbers.
        expected_bytes: usize,
    },
    /// The entries do not ascend.
    #[error("country table is not sorted at entry {index}")]
    NotSorted {
        /// The first entry that is not after the one before it.
        index: usize,
    },
}

/// Two letters; zeros = unknown.
pub type Country = [u8; 2];

/// A table.
#[derive(Clone, PartialEq, Eq)]
pub struct Countries {
    bytes: Vec<u8>,
    v4: usize,
    v6: usize,
}

impl std::fmt::Debug for Countries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Countries").field("v4", &self.v4).field("v6", &self.v6).finish_non_exhaustive()
    }
}

/// The table's bytes from its entries: first address and country, ascending by address. Neighbours of the same country are put together.
///
/// # Errors
/// When there are too many, or they do not ascend.
pub fn encode(v4: &[(u32, Country)], v6: &[(u64, Country)]) -> Result<Vec<u8>, PlaceError> {
    let v4 = joined(v4)?;
    let v6 = joined(v6)?;
    let mut bytes = MAGIC.to_vec();
    for count in [v4.len(), v6.len()] {
        let count = u32::try_from(count).map_err(|_| PlaceError::TooManyEntries)?;
        bytes.extend(count.to_le_bytes());
    }
    bytes.extend(v4.iter().flat_map(|(first, _)| first.to_le_bytes()));
    bytes.extend(v4.iter().flat_map(|(_, country)| *country));
    bytes.extend(v6.iter().flat_map(|(first, _)| first.to_le_bytes()));
    bytes.extend(v6.iter().flat_map(|(_, country)| *country));
    Ok(bytes)
}

fn joined<T: Ord + Copy>(entries: &[(T, Country)]) -> Result<Vec<(T, Country)>, PlaceError> {
    if let Some(index) = entries.windows(2).position(|pair| matches!(pair, [(a, _), (b, _)] if a >= b)) {
        return Err(PlaceError::NotSorted { index: index + 1 });
    }
    let mut kept = entries.to_vec();
    kept.dedup_by_key(|(_, country)| *country);
    if kept.len() > ENTRIES_MAX { Err(PlaceError::TooManyEntries) } else { Ok(kept) }
}

impl Countries {
    /// Reads a table; its bytes are kept as they are.
    ///
    /// # Errors
    /// When the bytes are no table of this version, or damaged.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, PlaceError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(PlaceError::NoTable)?;
        let count = |at: usize| {
            let number = rest.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
            number.map(|number| number as usize).ok_or(PlaceError::NoTable)
        };
        let (v4, v6) = (count(0)?, count(4)?);
        if v4.max(v6) > ENTRIES_MAX {
            return Err(PlaceError::TooManyEntries);
        }
        let expected_bytes = MAGIC.len() + 8 + v4 * 6 + v6 * 10;
        if bytes.len() != expected_bytes {
            return Err(PlaceError::WrongSize { size_bytes: bytes.len(), expected_bytes });
        }
        let table = Self { bytes, v4, v6 };
        let unsorted = |count: usize, first: &dyn Fn(usize) -> u64| (1..count).find(|index| first(index - 1) >= first(*index));
        match unsorted(v4, &|index| table.first_v4(index)).or_else(|| unsorted(v6, &|index| table.first_v6(index))) {
            Some(index) => Err(PlaceError::NotSorted { index }),
            None => Ok(table),
        }
    }

    /// The country of an address; `None` = unknown.
    pub fn country(&self, address: &IpAddr) -> Option<&str> {
        let v6_at = MAGIC.len() + 8 + self.v4 * 6;
        let at = match address {
            IpAddr::V4(v4) => {
                let index = last_before(self.v4, u64::from(v4.to_bits()), |index| self.first_v4(index))?;
                MAGIC.len() + 8 + self.v4 * 4 + index * 2
            }
            IpAddr::V6(v6) => {
                let index = last_before(self.v6, (v6.to_bits() >> 64) as u64, |index| self.first_v6(index))?;
                v6_at + self.v6 * 8 + index * 2
            }
        };
        let letters = self.bytes.get(at..at + 2)?;
        letters.iter().all(u8::is_ascii_uppercase).then(|| std::str::from_utf8(letters).ok()).flatten()
    }

    fn first_v4(&self, index: usize) -> u64 {
        let at = MAGIC.len() + 8 + index * 4;
        self.bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, |bytes| u32::from_le_bytes(bytes).into())
    }

    fn first_v6(&self, index: usize) -> u64 {
        let at = MAGIC.len() + 8 + self.v4 * 6 + index * 8;
        self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    }
}

/// Index of the last of `count` ascending numbers that is not above `wanted`.
fn last_before(count: usize, wanted: u64, number: impl Fn(usize) -> u64) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if number(middle) <= wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Country = [0, 0];

    #[test]
    fn an_address_belongs_to_the_last_entry_before_it() {
        let v4 = [(10, *b"DE"), (20, NONE), (30, *b"NO"), (40, *b"NO")];
        let v6 = [(0x2001_0db8_0000_0000, *b"FR"), (0x2001_0db9_0000_0000, NONE)];
        let bytes = encode(&v4, &v6).unwrap();
        assert_eq!(bytes.len(), 16 + 3 * 6 + 2 * 10, "neighbours are joined");
        let table = Countries::parse(bytes).unwrap();
        let check = |address: &str, expected: Option<&str>| {
            assert_eq!(table.country(&address.parse().unwrap()), expected, "{address}");
        };
        check("0.0.0.9", None);
        check("0.0.0.10", Some("DE"));
        check("0.0.0.19", Some("DE"));
        check("0.0.0.20", None);
        check("255.255.255.255", Some("NO"));
        check("2001:db8::1", Some("FR"));
        check("2001:db8:ffff:ffff:ffff::", Some("FR"));
        check("2001:db9::", None);
        check("::1", None);
    }

    #[test]
    fn the_form_is_pinned_and_damage_is_found() {
        let bytes = encode(&[(1, *b"DE")], &[(2, *b"NO")]).unwrap();
        assert_eq!(bytes, b"WGEO1\n\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0DE\x02\0\0\0\0\0\0\0NO");
        assert_eq!(Countries::parse(b"WGEO2\n\0\0".to_vec()), Err(PlaceError::NoTable));
        assert!(matches!(Countries::parse(bytes[..20].to_vec()), Err(PlaceError::WrongSize { .. })));
        assert_eq!(encode(&[(2, *b"DE"), (2, *b"NO")], &[]), Err(PlaceError::NotSorted { index: 1 }));
        let mut unsorted = encode(&[(1, *b"DE"), (2, *b"NO")], &[]).unwrap();
        unsorted[16] = 9;
        assert_eq!(Countries::parse(unsorted), Err(PlaceError::NotSorted { index: 1 }));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ignored = Countries::parse([MAGIC.as_slice(), &bytes].concat());
        }

        #[test]
        fn every_first_address_is_found(mut firsts in prop::collection::btree_set(any::<u32>(), 0..50)) {
            let entries: Vec<(u32, Country)> = firsts.iter().enumerate().map(|(i, first)| (*first, [b'A' + (i % 26) as u8, b'X'])).collect();
            let table = Countries::parse(encode(&entries, &[]).unwrap()).unwrap();
            for (first, country) in entries {
                let address = IpAddr::from(first.to_be_bytes());
                prop_assert_eq!(table.country(&address), std::str::from_utf8(&country).ok());
            }
            firsts.clear();
        }
    }
}
