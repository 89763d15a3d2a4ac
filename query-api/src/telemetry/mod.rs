//! What the service counts, as Prometheus text.

mod routes;

pub use routes::Routes;

use crate::regions::Absence;
use crate::service::Service;
use crate::tail::PartitionView;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets of query time, milliseconds.
const BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 30_000];
/// Statuses with a count of their own.
const STATUSES: [u16; 11] = [200, 304, 400, 401, 404, 405, 408, 413, 422, 429, 503];

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Telemetry {
    statuses: [AtomicU64; STATUSES.len()],
    other_statuses: AtomicU64,
    buckets: [AtomicU64; BOUNDS_MS.len()],
    queries: AtomicU64,
    query_micros: AtomicU64,
    /// The same by route.
    pub routes: Routes,
}

impl Telemetry {
    /// Counts an answer.
    pub fn answered(&self, status: u16) {
        let index = STATUSES.iter().position(|known| *known == status);
        index.and_then(|index| self.statuses.get(index)).unwrap_or(&self.other_statuses).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a query that was answered.
    pub fn queried(&self, elapsed: Duration) {
        self.queries.fetch_add(1, Ordering::Relaxed);
        self.query_micros.fetch_add(elapsed.as_micros() as u64, Ordering::Relaxed);
        let elapsed_ms = elapsed.as_millis() as u64;
        if let Some(bucket) = BOUNDS_MS.iter().position(|bound| elapsed_ms < *bound).and_then(|index| self.buckets.get(index)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Name, meaning and value of a gauge.
type Gauge = (&'static str, &'static str, fn(&PartitionView) -> u64);

/// All counts and gauges of a service.
pub fn render(service: &Service) -> String {
    let mut text = String::new();
    let telemetry = &service.telemetry;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    // Writing to a string cannot fail.
    let mut line = |line: std::fmt::Arguments<'_>| {
        let _infallible = writeln!(text, "{line}");
    };
    line(format_args!("# HELP query_requests_total Answered requests by status.\n# TYPE query_requests_total counter"));
    for (status, count) in STATUSES.iter().zip(&telemetry.statuses) {
        line(format_args!("query_requests_total{{status=\"{status}\"}} {}", read(count)));
    }
    line(format_args!("query_requests_total{{status=\"other\"}} {}", read(&telemetry.other_statuses)));
    line(format_args!("# HELP query_duration_seconds Time to answer a query.\n# TYPE query_duration_seconds histogram"));
    let mut below = 0;
    for (bound, count) in BOUNDS_MS.iter().zip(&telemetry.buckets) {
        below += read(count);
        line(format_args!("query_duration_seconds_bucket{{le=\"{}\"}} {below}", *bound as f64 / 1_000.0));
    }
    line(format_args!("query_duration_seconds_bucket{{le=\"+Inf\"}} {}", read(&telemetry.queries)));
    line(format_args!("query_duration_seconds_sum {}", read(&telemetry.query_micros) as f64 / 1e6));
    line(format_args!("query_duration_seconds_count {}", read(&telemetry.queries)));
    telemetry.routes.render(&mut line);
    let (cache, refused) = (&service.cache, &service.limits.refused);
    line(format_args!(
        "# HELP query_cache_requests_total Statements by where their rows came from.\n# TYPE query_cache_requests_total counter"
    ));
    for (outcome, count) in [("hit", &cache.counts.hits), ("miss", &cache.counts.misses), ("joined", &cache.counts.joined)] {
        line(format_args!("query_cache_requests_total{{outcome=\"{outcome}\"}} {}", read(count)));
    }
    line(format_args!("# HELP query_refused_total Requests over a limit.\n# TYPE query_refused_total counter"));
    for (limit, count) in [("rate", &refused.rate), ("engine_time", &refused.engine_time), ("queue", &refused.queue)] {
        line(format_args!("query_refused_total{{limit=\"{limit}\"}} {}", read(count)));
    }
    for (name, help, value) in [
        ("query_cache_bytes", "Size of the figures kept.", cache.bytes()),
        ("query_cache_entries", "Statements whose figures are kept.", cache.entries()),
        ("query_ready", "1 while queries are answered.", u64::from(service.unready().is_none())),
        ("query_running", "Queries that run.", service.engine.running() as u64),
        ("query_tenants", "Tenants whose queries run or wait.", service.engine.tenants() as u64),
    ] {
        line(format_args!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"));
    }
    line(format_args!("# HELP query_waiting Queries that wait for their turn.\n# TYPE query_waiting gauge"));
    line(format_args!("query_waiting {}", service.engine.waiting()));
    line(format_args!("# HELP query_attached_parts Parts attached to DuckDB.\n# TYPE query_attached_parts gauge"));
    line(format_args!("query_attached_parts {}", service.engine.attached_parts()));
    let damaged = service.store.damaged_here();
    let is_needed = |name: &String| service.partitions.values().any(|view| view.borrow().names_part(name));
    line(format_args!("# HELP query_damaged_files Files that are damaged and not read.\n# TYPE query_damaged_files gauge"));
    line(format_args!("query_damaged_files {}", damaged.iter().filter(|name| is_needed(name)).count()));
    line(format_args!(
        "# HELP query_store_cache_bytes Files of the object store on this machine.\n# TYPE query_store_cache_bytes gauge"
    ));
    line(format_args!("query_store_cache_bytes {}", service.store.cache_bytes()));
    let gauges: [Gauge; 10] = [
        ("query_partition_ready", "1 when queries of the partition are answered.", |view| u64::from(view.is_ready)),
        ("query_partition_alarm", "1 when the live end is not followed.", |view| u64::from(view.condition.alarm().is_some())),
        ("query_ledger_alarm", "1 when the live end has other rows than its ledger counts.", |view| {
            u64::from(view.ledger_alarm.is_some())
        }),
        ("query_accepted_events", "Events accepted so far, sealed and live.", PartitionView::accepted),
        ("query_tail_lag_messages", "Messages of the stream that are not counted yet.", PartitionView::lag),
        ("query_sealed_sequence", "Last sequence of the stream whose rows are read from files.", |view| view.sealed_seq),
        ("query_stream_last_sequence", "Last sequence of the stream, as last heard.", |view| view.stream.1),
        ("query_tail_rows", "Event rows of the live end in memory.", |view| view.tail_rows),
        ("query_watermark_milliseconds", "Up to when all events are counted, Unix time.", |view| view.watermark_ms),
        ("query_revision", "Revision of the manifest that is served.", PartitionView::revision),
    ];
    for (name, help, value) in gauges {
        line(format_args!("# HELP {name} {help}\n# TYPE {name} gauge"));
        for (region, partition, view) in service.all_partitions() {
            line(format_args!("{name}{{region=\"{region}\",partition=\"{partition}\"}} {}", value(&view.borrow())));
        }
    }
    if !service.others.is_empty() {
        line(format_args!(
            "# HELP query_region_missing 1 while answers lack events of the region.\n# TYPE query_region_missing gauge"
        ));
    }
    let now_ms = service.clock.now_ms();
    for other in &service.others {
        let is_missing =
            other.unreadable().is_some() || other.partitions.values().any(|view| Absence::of(&view.borrow(), now_ms).is_some());
        line(format_args!("query_region_missing{{region=\"{}\"}} {}", other.name, u8::from(is_missing)));
    }
    text
}
