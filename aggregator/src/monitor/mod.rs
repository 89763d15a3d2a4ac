//! What machines ask the aggregator: whether it lives, whether it is at work, and its numbers for Prometheus.

mod disk;
mod render;
mod streams;

pub(crate) use streams::follow;

use crate::config::Config;
use crate::error::RunError;
use crate::status::Board;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weir_reader::store::StoreConfig;

/// Content type of Prometheus' text.
const TEXT: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];

/// What is asked about.
pub(crate) struct Monitor {
    region: String,
    boards: BTreeMap<u32, Arc<Board>>,
    /// Folders whose disks are told, by what they are for.
    folders: Vec<(&'static str, PathBuf)>,
    ready: AtomicBool,
}

impl Monitor {
    /// A monitor of partitions that are not at work yet.
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        let mut folders = vec![("work", config.work.clone())];
        if let StoreConfig::Local(files) = &config.files {
            folders.push(("files", files.clone()));
        }
        Self::of(&config.region, &config.partitions, folders)
    }

    fn of(region: &str, partitions: &[u32], folders: Vec<(&'static str, PathBuf)>) -> Arc<Self> {
        let boards = partitions.iter().map(|partition| (*partition, Arc::default())).collect();
        Arc::new(Self { region: region.to_owned(), boards, folders, ready: AtomicBool::new(false) })
    }

    /// Where a partition's tasks write.
    pub(crate) fn board(&self, partition: u32) -> Arc<Board> {
        self.boards.get(&partition).cloned().unwrap_or_default()
    }

    /// NATS and the object store were reached, the partitions are at work.
    pub(crate) fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Listens at once, and answers until `ended` fires; without an address it does nothing.
    pub(crate) async fn serve(self: &Arc<Self>, listen: Option<SocketAddr>, ended: CancellationToken) -> Result<(), RunError> {
        let Some(listen) = listen else { return Ok(()) };
        let listener = TcpListener::bind(listen).await.map_err(|cause| RunError::Listen { listen, cause })?;
        let router = router(Arc::clone(self));
        tokio::spawn(async move {
            let ending = ended.clone().cancelled_owned();
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(ending).await {
                tracing::error!(%error, "health and metrics are not answered any more");
            }
        });
        Ok(())
    }
}

fn router(monitor: Arc<Monitor>) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "ok" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(monitor)
}

/// 200 from the moment when NATS and the object store were reached. A partition that stands has an alarm: starting anew would not help it.
async fn ready(State(monitor): State<Arc<Monitor>>) -> (StatusCode, &'static str) {
    if monitor.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "waiting for NATS or the object store")
    }
}

async fn metrics(State(monitor): State<Arc<Monitor>>) -> ([(HeaderName, &'static str); 1], String) {
    // A disk that hangs must hold up nobody else.
    let looking = Arc::clone(&monitor);
    let disks = tokio::task::spawn_blocking(move || disk::spaces(&looking.folders)).await.unwrap_or_default();
    (TEXT, render::render(&monitor, &disks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::code;
    use weir_reader::standing::Standing;

    fn monitor() -> Arc<Monitor> {
        Monitor::of("local", &[0, 1], vec![("work", std::env::temp_dir())])
    }

    #[tokio::test]
    async fn it_answers_before_and_after_nats_was_reached() {
        let monitor = monitor();
        assert_eq!(ready(State(Arc::clone(&monitor))).await.0, StatusCode::SERVICE_UNAVAILABLE);
        let (_, before) = metrics(State(Arc::clone(&monitor))).await;
        assert!(before.contains("\naggregator_ready 0\n"), "{before}");
        monitor.ready();
        assert_eq!(ready(State(Arc::clone(&monitor))).await.0, StatusCode::OK);
        let (_, after) = metrics(State(monitor)).await;
        assert!(after.contains("\naggregator_ready 1\n"), "{after}");
        assert!(!after.contains("aggregator_stream_bytes{"), "nothing is known of the streams yet:\n{after}");
        assert!(after.contains("\naggregator_disk_size_bytes{folder=\"work\"}"), "{after}");
    }

    #[tokio::test]
    async fn alarms_and_streams_are_told_by_partition() {
        let monitor = monitor();
        monitor.board(1).alarm(code::STREAM_MISMATCH, "x".to_owned());
        monitor.board(1).update(|numbers| {
            numbers.stopped = true;
            numbers.sealed_seq = 5;
        });
        monitor.board(0).stands(Standing {
            last_seq: 9,
            bytes: 50,
            bytes_max: 100,
            copies_wanted: 3,
            copies_current: 2,
            ..Standing::default()
        });
        let (_, text) = metrics(State(Arc::clone(&monitor))).await;
        for expected in [
            "aggregator_alarm{region=\"local\",partition=\"1\",code=\"stream_mismatch\"} 1",
            "aggregator_alarm{region=\"local\",partition=\"0\",code=\"stream_mismatch\"} 0",
            "aggregator_partition_stopped{region=\"local\",partition=\"1\"} 1",
            "aggregator_sealed_sequence{region=\"local\",partition=\"1\"} 5",
            "aggregator_stream_last_sequence{region=\"local\",partition=\"0\"} 9",
            "aggregator_stream_bytes_max{region=\"local\",partition=\"0\"} 100",
            "aggregator_stream_copies_current{region=\"local\",partition=\"0\"} 2",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing in\n{text}");
        }
        // Who stands by knows an old state only: the owner tells the new one.
        monitor.board(1).update(|numbers| numbers.stands_by = true);
        let (_, text) = metrics(State(monitor)).await;
        assert!(text.contains("aggregator_alarm{region=\"local\",partition=\"1\",code=\"stream_mismatch\"} 0\n"), "{text}");
        assert!(!text.contains("aggregator_sealed_sequence{region=\"local\",partition=\"1\"}"), "{text}");
        assert!(text.contains("aggregator_partition_stands_by{region=\"local\",partition=\"1\"} 1\n"), "{text}");
    }
}
