//! Country tables: any bytes are a table or are refused, and a table gives the entry that a look at every entry gives.
#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use weir_event::place::{Countries, Country, encode};

fuzz_target!(|data: &[u8]| {
    let addresses = data.windows(16).take(8).filter_map(|window| <[u8; 16]>::try_from(window).ok());
    let addresses: Vec<IpAddr> =
        addresses.flat_map(|bytes| [IpAddr::from(bytes), IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]])]).collect();
    if let Ok(table) = Countries::parse(data.to_vec()) {
        for address in &addresses {
            assert!(table.country(address).is_none_or(|country| country.len() == 2));
        }
    }
    let chunks = data.as_chunks::<10>().0;
    let letters =
        |chunk: &[u8; 10]| -> Country { if chunk[9] % 4 == 0 { [0, 0] } else { [b'A' + chunk[8] % 26, b'A' + chunk[9] % 26] } };
    let v4: BTreeMap<u32, Country> = chunks.iter().map(|c| (u32::from_be_bytes([c[0], c[1], c[2], c[3]]), letters(c))).collect();
    let half = |c: &[u8; 10]| u64::from_be_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]);
    let v6: BTreeMap<u64, Country> = chunks.iter().map(|c| (half(c), letters(c))).collect();
    let entries = |map: &BTreeMap<_, _>| map.iter().map(|(first, country)| (*first, *country)).collect::<Vec<_>>();
    let v6_entries: Vec<(u64, Country)> = v6.iter().map(|(first, country)| (*first, *country)).collect();
    let bytes = encode(&entries(&v4), &v6_entries).expect("sorted entries are a table");
    let table = Countries::parse(bytes).expect("what is written can be read");
    for address in addresses {
        let found = match address {
            IpAddr::V4(address) => v4.range(..=address.to_bits()).next_back().map(|(_, country)| *country),
            IpAddr::V6(address) => v6.range(..=(address.to_bits() >> 64) as u64).next_back().map(|(_, country)| *country),
        };
        let expected = found.filter(|country| *country != [0, 0]);
        assert_eq!(table.country(&address).map(str::as_bytes), expected.as_ref().map(|country| &country[..]), "{address}");
    }
});
