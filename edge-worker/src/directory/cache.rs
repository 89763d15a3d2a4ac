//! The isolate's copy of the directory, at most a second old.

use std::cell::RefCell;
use std::rc::Rc;

use worker::Env;

use super::changes::Changes;
use super::snapshot::Snapshot;
use crate::platform::now_ms;
use crate::timeout::with_timeout;

/// A copy younger than this is used as it is, milliseconds.
const FRESH_MS: u64 = 1_000;
/// While one request refreshes the copy, others use it up to this age, milliseconds.
const STALE_MS: u64 = 2_500;
/// How long the directory may take to answer, milliseconds.
const TIMEOUT_MS: u64 = 5_000;

#[derive(Default)]
struct Cache {
    snapshot: Option<Rc<Snapshot>>,
    fetched_ms: u64,
    /// When a request began to refresh the copy; 0 = none does.
    refreshing_ms: u64,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The directory as it was at most a second ago; older when it cannot be reached. `None` when there never was a copy.
pub(crate) async fn current(env: &Env) -> Option<Rc<Snapshot>> {
    let now = now_ms();
    let (snapshot, is_good) = CACHE.with_borrow_mut(|cache| {
        let age_ms = now.saturating_sub(cache.fetched_ms);
        let is_refreshed = now.saturating_sub(cache.refreshing_ms) < STALE_MS;
        let is_good = cache.snapshot.is_some() && (age_ms < FRESH_MS || (age_ms < STALE_MS && is_refreshed));
        if !is_good {
            cache.refreshing_ms = now;
        }
        (cache.snapshot.clone(), is_good)
    });
    if is_good {
        return snapshot;
    }
    match with_timeout(TIMEOUT_MS, refresh(env, snapshot.clone())).await {
        Some(Ok(fresh)) => {
            CACHE.with_borrow_mut(|cache| *cache = Cache { snapshot: Some(fresh.clone()), fetched_ms: now, refreshing_ms: 0 });
            Some(fresh)
        }
        failure => {
            if let Some(Err(error)) = failure {
                worker::console_error!("directory did not answer: {error}");
            }
            snapshot
        }
    }
}

async fn refresh(env: &Env, known: Option<Rc<Snapshot>>) -> worker::Result<Rc<Snapshot>> {
    let mut snapshot = known.unwrap_or_default();
    loop {
        let (generation, after) = snapshot.known();
        let mut response = super::get(env, &format!("/changes?generation={generation}&after={after}")).await?;
        if response.status_code() != 200 {
            return Err(worker::Error::RustError(response.text().await?));
        }
        let changes: Changes = response.json().await?;
        if snapshot.is_brought_nothing_by(&changes) {
            return Ok(snapshot);
        }
        let more = changes.more;
        // Requests that run hold the former copy: the new one is another.
        if !Rc::make_mut(&mut snapshot).apply(changes) {
            snapshot = Rc::default();
        } else if !more {
            return Ok(snapshot);
        }
    }
}
