//! Searches every byte below a folder for client addresses, as text in any spelling and in binary form.

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// Known addresses: half of them IPv4. Two sets of different `seed` share none.
pub fn addresses(count: u32, seed: u32) -> Vec<IpAddr> {
    (0..count)
        .map(|number| {
            let mut bytes = [0_u8; 16];
            let mut state = (u64::from(seed) << 32) | u64::from(number);
            for byte in &mut bytes {
                *byte = next(&mut state);
            }
            let [a, b, c, d, ..] = bytes;
            if number % 2 == 0 {
                // Three digits in every part, so that no version number or shorter address looks like one.
                let part = |byte: u8| 100 + byte % 100;
                Ipv4Addr::new(part(a), part(b), part(c), part(d)).into()
            } else {
                // Documentation range; a run of zeros, so that the compressed spelling differs from the full one.
                bytes[..8].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0]);
                Ipv6Addr::from(bytes).into()
            }
        })
        .collect()
}

/// `SplitMix64`, one byte of it.
fn next(state: &mut u64) -> u8 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 24) as u8
}

/// Spellings of an address that a sender or a log may use.
pub fn spellings(address: IpAddr) -> Vec<String> {
    let plain = match address {
        IpAddr::V4(v4) => vec![v4.to_string()],
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            let join = |format: fn(&u16) -> String| segments.iter().map(format).collect::<Vec<_>>().join(":");
            vec![v6.to_string(), join(|segment| format!("{segment:04x}")), join(|segment| format!("{segment:x}"))]
        }
    };
    let encoded: Vec<_> = plain.iter().filter(|text| text.contains(':')).map(|text| text.replace(':', "%3A")).collect();
    plain.into_iter().chain(encoded).collect()
}

/// A search for one set of addresses.
pub struct Search {
    text: AhoCorasick,
    texts: Vec<String>,
    binary_v6: AhoCorasick,
    binary_v4: AhoCorasick,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// File and spelling of the first finds as text (at most 20).
    pub text: Vec<(PathBuf, String)>,
    /// Files with IPv6 addresses in binary form (at most 20).
    pub binary_v6: Vec<PathBuf>,
    /// How often the four bytes of an IPv4 address occur: chance hits included.
    pub binary_v4: u64,
    /// Bytes searched.
    pub bytes: u64,
    /// Files searched.
    pub files: u64,
}

impl Search {
    /// A search for these addresses.
    pub fn new(addresses: &[IpAddr]) -> Result<Self> {
        let texts: Vec<String> = addresses.iter().flat_map(|address| spellings(*address)).collect();
        let both_orders = |octets: Vec<u8>| [octets.clone(), octets.into_iter().rev().collect::<Vec<u8>>()];
        let v6 =
            addresses.iter().filter_map(|address| if let IpAddr::V6(v6) = address { Some(v6.octets().to_vec()) } else { None });
        let v4 =
            addresses.iter().filter_map(|address| if let IpAddr::V4(v4) = address { Some(v4.octets().to_vec()) } else { None });
        Ok(Self {
            text: AhoCorasick::builder().ascii_case_insensitive(true).build(&texts)?,
            texts,
            binary_v6: AhoCorasick::new(v6.flat_map(both_orders))?,
            binary_v4: AhoCorasick::new(v4.flat_map(both_orders))?,
        })
    }

    /// Searches all files below a folder. One that vanishes meanwhile is passed over.
    pub fn folder(&self, folder: &Path, found: &mut Found) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if let Err(error) = self.folder(&entry.path(), found) {
                    // Only a vanished folder may be unreadable.
                    anyhow::ensure!(!entry.path().exists(), error);
                }
            } else if kind.is_file()
                && let Ok(bytes) = std::fs::read(entry.path())
            {
                found.files += 1;
                self.bytes(&entry.path(), &bytes, found);
            }
        }
        Ok(())
    }

    /// Searches bytes that came from `path`.
    pub fn bytes(&self, path: &Path, bytes: &[u8], found: &mut Found) {
        found.bytes += bytes.len() as u64;
        for hit in self.text.find_iter(bytes) {
            if found.text.len() < 20 {
                let spelling = self.texts.get(hit.pattern().as_usize()).cloned().unwrap_or_default();
                found.text.push((path.to_owned(), spelling));
            }
        }
        if found.binary_v6.len() < 20 && self.binary_v6.is_match(bytes) {
            found.binary_v6.push(path.to_owned());
        }
        found.binary_v4 += self.binary_v4.find_iter(bytes).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Search, addresses, spellings};
    use std::path::Path;

    #[test]
    fn finds_every_spelling_and_both_binary_orders() {
        let known = addresses(10, 1);
        let search = Search::new(&known).unwrap();
        for address in &known {
            for spelling in spellings(*address) {
                let mut found = Found::default();
                search.bytes(Path::new("f"), format!("x{}y", spelling.to_uppercase()).as_bytes(), &mut found);
                assert_eq!(found.text.len(), 1, "{spelling}");
            }
            let mut found = Found::default();
            let octets = match address {
                std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
                std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            search.bytes(Path::new("f"), &octets.into_iter().rev().collect::<Vec<_>>(), &mut found);
            assert_eq!(found.binary_v6.len() as u64 + found.binary_v4, 1, "{address}");
        }
    }

    #[test]
    fn sets_of_different_seeds_share_nothing() {
        let (known, control) = (addresses(1000, 1), addresses(1000, 2));
        assert!(known.iter().all(|address| !control.contains(address)));
        let mut distinct = known.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), known.len());
    }
}
