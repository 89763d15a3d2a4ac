//! JSON that the parts of a system write for each other: manifests, heads, answers of NATS.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_rollup::manifest::{Head, Manifest};

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../edge-worker/src/nats/answer.rs"]
mod answer;

fuzz_target!(|data: &[u8]| {
    if let Ok(head) = serde_json::from_slice::<Head>(data) {
        let json = serde_json::to_vec(&head).expect("a head is JSON");
        assert_eq!(serde_json::from_slice::<Head>(&json).expect("and is read back"), head);
    }
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
        let json = serde_json::to_vec(&manifest).expect("a manifest is JSON");
        assert_eq!(serde_json::from_slice::<Manifest>(&json).expect("and is read back"), manifest);
    }
    let answer = answer::Answer { payload: bytes::Bytes::copy_from_slice(data), ..answer::Answer::default() };
    let _ack = answer::parse::<answer::PubAck>(&answer);
    let _stream = answer::parse::<answer::StreamInfo>(&answer);
});
