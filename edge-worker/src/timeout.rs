//! Waiting with a limit.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// The future's value, or `None` when it takes longer.
pub(crate) async fn with_timeout<T>(timeout_ms: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut delay = pin!(worker::Delay::from(Duration::from_millis(timeout_ms)));
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        delay.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// Waits.
pub(crate) async fn sleep(ms: u64) {
    worker::Delay::from(Duration::from_millis(ms)).await;
}
