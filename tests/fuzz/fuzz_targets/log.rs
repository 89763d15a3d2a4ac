//! Lines of a file to import: access-log lines in the combined format, and events as JSON lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_event::log::{is_asset, is_page_view, parse_line};
use weir_event::validate::{Sender, parse_value};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(line) = parse_line(&text) {
        assert!(!line.address.is_empty() && !line.address.contains(' '));
        assert!(!line.method.is_empty() && !line.path.is_empty());
        assert!(line.time_ms < 253_402_300_800_000 + 86_400_000 * 5, "{}", line.time_ms);
        if is_page_view(&line) {
            assert!(!is_asset(&line.path));
        }
        assert_eq!(parse_line(&format!("  {}\n", text.trim())).as_ref(), Ok(&line), "blanks around a line mean nothing");
    }
    if let Ok(value) = serde_json::from_slice(data)
        && let Ok(draft) = parse_value(&value, Sender::Trusted { now_ms: 1_795_000_000_000 })
    {
        assert!(!draft.domains.is_empty());
    }
});
