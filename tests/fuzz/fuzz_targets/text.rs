//! Texts that every event brings: domains and addresses have one spelling, and a sender's own address is blanked in all of its spellings.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use weir_event::domain::{DOMAIN_BYTES_MAX, normalise_domain};
use weir_event::identity::{event_id, normalise_address, visitor_id};
use weir_event::redact::blank_address;

fuzz_target!(|data: &[u8]| {
    // 16 bytes of address, of which IPv4 takes four, then the text.
    let Some((bytes, text)) = data.split_first_chunk::<16>() else { return };
    let text = String::from_utf8_lossy(text);
    let v6 = IpAddr::from(*bytes);
    let v4 = IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for address in [v4, v6] {
        // The text as it is, and with the address in the middle of it.
        let middle = (0..=text.len()).rev().find(|at| *at <= text.len() / 2 && text.is_char_boundary(*at)).unwrap_or(0);
        let (before, after) = text.split_at(middle);
        for text in [text.to_string(), format!("{before} {address} {after}")] {
            if let Some(blanked) = blank_address(&text, &address) {
                assert_eq!(blank_address(&blanked, &address), None, "{address} is still in {blanked:?}, made of {text:?}");
            }
        }
        assert!(blank_address(&format!("{before} {address} {after}"), &address).is_some());
    }
    if let Some(address) = normalise_address(&text) {
        assert_eq!(normalise_address(&address.to_string()), Some(address));
    }
    if let Some(domain) = normalise_domain(&text) {
        assert!(!domain.is_empty() && domain.len() <= DOMAIN_BYTES_MAX && !domain.contains('\0'));
        // `www.www.example` loses one `www.` each time.
        if !domain.starts_with("www.") {
            assert_eq!(normalise_domain(&domain).as_ref(), Some(&domain), "made of {text:?}");
        }
    }
    assert_ne!(visitor_id(&[7; 32], 1, &v4.to_string(), &text, &text), 0);
    assert_ne!(event_id(u128::from_be_bytes(*bytes), 1), 0);
});
