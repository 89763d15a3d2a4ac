//! Refused payloads as they wait: a record is written back as it was read, and what can be recovered is an event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_event::rejected::{REJECTED_BODY_BYTES_MAX, Rejected, Target};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (kept, is_cut) = Rejected::keep(&text);
    assert!(kept.len() <= REJECTED_BODY_BYTES_MAX && text.starts_with(&kept) && is_cut == (kept.len() < text.len()));
    let Ok(record) = Rejected::parse(data) else { return };
    if let Some(bytes) = record.encode() {
        assert_eq!(Rejected::parse(&bytes).as_ref(), Ok(&record));
    }
    let site = |domain: &str| (domain.len() % 2 == 0).then_some(Target { site_id: 7, partition: domain.len() as u32 });
    for as_site in [None, Some("shop.example")] {
        if let Ok(events) = record.recover(site, as_site, 9) {
            assert!(!events.is_empty());
            assert_eq!(record.recover(site, as_site, 9).as_ref(), Ok(&events), "recovered twice, it is the same");
            for (_, event) in events {
                assert!(event.retry && event.id() != 0 && event.visitor_id != 0 && event.received_ms == record.received_ms);
            }
        }
    }
});
