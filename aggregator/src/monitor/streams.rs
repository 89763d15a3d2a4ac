//! Looks from time to time how a partition's stream stands with its servers.

use crate::Shared;
use crate::status::Board;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weir_reader::standing::standing;

/// Pause between two looks: Prometheus asks about as often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Notes it on the board until `cancel` fires. While NATS is away, or the stream has no leader, what was found last stands, and its time with it.
pub(crate) async fn follow(shared: Arc<Shared>, partition: u32, board: Arc<Board>, cancel: CancellationToken) {
    if shared.config.monitor.is_none() {
        return;
    }
    loop {
        match standing(&shared.jetstream, &shared.config.region, partition).await {
            Ok(found) => board.stands(found),
            Err(error) => tracing::debug!(partition, %error, "it is not known how the stream stands"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
    }
}
