//! Waiting for something to become true, with a deadline instead of a sleep.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// What one look found.
pub enum Look<T> {
    /// It holds.
    Done(T),
    /// Not yet; the text says what is missing and is shown when the deadline passes.
    NotYet(String),
}

/// Looks until `look` is done. An `Err` of `look` ends the wait at once; [`soft`] turns one into "not yet".
pub async fn until<T, F>(what: &str, within: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Look<T>>,
{
    let started = Instant::now();
    loop {
        match look().await? {
            Look::Done(value) => return Ok(value),
            Look::NotYet(missing) if started.elapsed() > within => {
                bail!("{what}: not within {within:?}: {missing}")
            }
            Look::NotYet(_) => tokio::time::sleep(INTERVAL).await,
        }
    }
}

/// A failed look is "not yet": for servers that are being restarted.
pub fn soft<T>(looked: Result<Look<T>>) -> Look<T> {
    looked.unwrap_or_else(|error| Look::NotYet(format!("{error:#}")))
}

/// Looks until the condition holds.
pub async fn until_true<F>(what: &str, within: Duration, mut holds: F) -> Result<()>
where
    F: AsyncFnMut() -> bool,
{
    until(what, within, async || Ok(if holds().await { Look::Done(()) } else { Look::NotYet("still false".into()) })).await
}
