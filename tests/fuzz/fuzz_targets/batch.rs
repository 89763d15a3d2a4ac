//! Messages on the stream: what is read is written back as the same batch, and runs of events cover their bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_event::codec::{BATCH_EVENTS_MAX, append_event, append_refused, decode, encode, split_runs};
use weir_event::model::{EventBatch, SCHEMA_VERSION};

fuzz_target!(|data: &[u8]| {
    if let Ok(batch) = decode(SCHEMA_VERSION, data) {
        let records = batch.events.len() + batch.controls.len() + batch.refused.len() + batch.tombstones.len();
        assert!(records <= BATCH_EVENTS_MAX);
        assert_eq!(batch.slots().count(), batch.places() as usize);
        let bytes = encode(&batch);
        assert_eq!(decode(SCHEMA_VERSION, &bytes).as_ref(), Ok(&batch));
        split(&batch);
    }
    if let Ok(runs) = split_runs(data, 100) {
        let mut end = 0;
        for run in runs {
            assert_eq!(run.range.start, end);
            assert!(run.range.end > run.range.start);
            end = run.range.end;
        }
        assert_eq!(end, data.len());
    }
});

/// Events put together one by one, cut into runs and put behind a head are the batch.
fn split(batch: &EventBatch) {
    let mut records = Vec::new();
    batch.events.iter().for_each(|event| append_event(event, &mut records));
    batch.refused.iter().for_each(|refused| append_refused(refused, &mut records));
    let Ok(runs) = split_runs(&records, 200) else { return };
    assert_eq!(runs.iter().map(|run| run.events as usize).sum::<usize>(), batch.events.len());
    let head = EventBatch { events: Vec::new(), refused: Vec::new(), ..batch.clone() };
    let mut bytes = encode(&head);
    for run in runs {
        bytes.extend(&records[run.range]);
    }
    assert_eq!(decode(SCHEMA_VERSION, &bytes).as_ref(), Ok(batch));
}
