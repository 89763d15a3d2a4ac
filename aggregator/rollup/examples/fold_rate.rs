//! Scratch.
use std::time::Instant;
use weir_event::model::*;
use weir_rollup::{columns, fold::*, rules::Rules};
fn main() {
    let rules = Rules::built_in().unwrap();
    let t = Instant::now();
    let r2 = Rules::new(weir_rollup::rules::RuleData::built_in()).unwrap();
    eprintln!("compile {:?}", t.elapsed());
    let t = Instant::now();
    for i in 0..2000 {
        r2.agent(&format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{i}.0.0.0 Safari/537.36"
        ));
    }
    eprintln!("agent uncached {:?}", t.elapsed() / 2000);
    let uas: Vec<String> = (0..500)
        .map(|i| {
            format!(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{i}.0.0.0 Safari/537.36"
            )
        })
        .collect();
    let refs = ["", "", "https://www.google.com/", "https://t.co/abcdef", "https://blog.example/post/12?x=1"];
    let mut x = 88172645463325252u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let n = 1_000_000u64;
    let batches: Vec<EventBatch> = (0..n / 500)
        .map(|b| EventBatch {
            producer: vec![1; 16],
            number: b + 1,
            batcher: "a/0/0".into(),
            events: (0..500)
                .map(|i| {
                    let e = b * 500 + i;
                    let r = next();
                    Event {
                        id_high: next(),
                        id_low: next(),
                        event_ms: 1_736_942_400_000 + e,
                        received_ms: 1_736_942_400_000 + e,
                        site_id: (r % 1000) as u32,
                        visitor_id: r % 1000 + 1000 * (next() % 250),
                        name: "pageview".into(),
                        hostname: "shop.example".into(),
                        pathname: format!("/products/{}", r % 5000),
                        referrer: refs[(r % 5) as usize].into(),
                        user_agent: uas[(r % 500) as usize].clone(),
                        country: "DE".into(),
                        ..Event::default()
                    }
                })
                .collect(),
            ..EventBatch::default()
        })
        .collect();
    let mut state = State::default();
    let t = Instant::now();
    let mut rows = 0;
    let mut kept = Vec::new();
    for (i, b) in batches.iter().enumerate() {
        let f = fold(&mut state, &rules, b, Arrival { seq: i as u64 + 1, stream_ms: 1_736_942_400_000 + i as u64 * 500 });
        rows += f.rows.len();
        kept.extend(f.rows);
    }
    let d = t.elapsed();
    eprintln!("fold {rows} rows {:?} = {:.0}/s, visits {}", d, n as f64 / d.as_secs_f64(), state.live_visits());
    let t = Instant::now();
    let bytes = state.encode();
    eprintln!("encode {} bytes {:?}", bytes.len(), t.elapsed());
    let t = Instant::now();
    State::decode(&bytes).unwrap();
    eprintln!("decode {:?}", t.elapsed());
    let t = Instant::now();
    for c in kept.chunks(50_000) {
        columns::events_batch(c).unwrap();
    }
    eprintln!("arrow {:?}", t.elapsed());
}
