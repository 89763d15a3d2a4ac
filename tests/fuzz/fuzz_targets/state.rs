//! The fold's state as the object store keeps it: what is read is written back, and again, as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_rollup::fold::State;

fuzz_target!(|data: &[u8]| {
    let Ok(mut state) = State::decode(data) else { return };
    let _watermark = state.watermark(state.stream_ms());
    let _visits = state.live_visits();
    let bytes = state.encode();
    let again = State::decode(&bytes).expect("a state that was encoded can be decoded");
    assert_eq!(again.encode(), bytes);
    state.purge();
    assert_eq!(state.encode(), bytes, "what is purged is never encoded");
});
