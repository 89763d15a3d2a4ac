//! Files that a self-hosted worker reads from the service `GEO` at its start and looks at again each minute, so that a newer one needs no
//! restart. Without the service, as on Cloudflare, there are none.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread::LocalKey;

use futures::StreamExt;
use worker::{Env, Fetcher, Method, RequestInit, Result};

use crate::platform::now_ms;
use crate::timeout::{sleep, with_timeout};

/// Time between two looks whether there is a newer file, milliseconds.
const LOOK_EVERY_MS: u64 = 60_000;
/// How long reading may take, milliseconds. A request that goes away meanwhile takes its look with it: after this another may look.
const TIMEOUT_MS: u64 = 5_000;
/// How long the others wait for the first look, milliseconds, and how often they see whether it is over.
const FIRST_WAIT_MS: u64 = 2_000;
const POLL_MS: u64 = 20;

/// What was read of one file.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    value: Option<Rc<T>>,
    /// `Last-Modified` of the file that was read.
    modified: Option<String>,
    /// When the last look ended; 0 = there was none.
    looked_ms: u64,
    /// When the look that is under way began; 0 = none is.
    began_ms: u64,
}

impl<T> Kept<T> {
    /// Nothing was read yet.
    pub(crate) const fn new() -> Self {
        Self { value: None, modified: None, looked_ms: 0, began_ms: 0 }
    }

    /// True once for whoever is to look now.
    fn begin(&mut self, now_ms: u64) -> bool {
        let is_free = self.began_ms == 0 || now_ms.saturating_sub(self.began_ms) > TIMEOUT_MS;
        let is_due = self.looked_ms == 0 || now_ms.saturating_sub(self.looked_ms) >= LOOK_EVERY_MS;
        if is_free && is_due {
            self.began_ms = now_ms;
        }
        is_free && is_due
    }

    fn end(&mut self, now_ms: u64) {
        self.began_ms = 0;
        self.looked_ms = now_ms;
    }

    /// The first look is not over.
    fn is_awaited(&self) -> bool {
        self.looked_ms == 0 && self.began_ms > 0
    }
}

/// The file's content as of the last look; looks again when it is time. A file that cannot be read leaves what there was.
pub(crate) async fn current<T>(
    kept: &'static LocalKey<RefCell<Kept<T>>>,
    env: &Env,
    file: &str,
    bytes_max: usize,
    parse: impl FnOnce(Vec<u8>) -> std::result::Result<T, String>,
) -> Option<Rc<T>> {
    if kept.with_borrow_mut(|kept| kept.begin(now_ms())) {
        let outcome = with_timeout(TIMEOUT_MS, load(kept, env, file, bytes_max, parse)).await;
        kept.with_borrow_mut(|kept| kept.end(now_ms()));
        if let Some(Err(error)) = outcome {
            worker::console_error!("{file} cannot be used: {error}");
        }
    } else if kept.with_borrow(Kept::is_awaited) {
        let first_look = async {
            while kept.with_borrow(Kept::is_awaited) {
                sleep(POLL_MS).await;
            }
        };
        let _too_slow = with_timeout(FIRST_WAIT_MS, first_look).await.is_none();
    }
    kept.with_borrow(|kept| kept.value.clone())
}

async fn load<T>(
    kept: &'static LocalKey<RefCell<Kept<T>>>,
    env: &Env,
    file: &str,
    bytes_max: usize,
    parse: impl FnOnce(Vec<u8>) -> std::result::Result<T, String>,
) -> Result<()> {
    let Ok(service) = env.service("GEO") else { return Ok(()) };
    let url = format!("http://geo/{file}");
    let known = kept.with_borrow(|kept| kept.modified.clone());
    if known.is_some() && modified(&service, &url).await? == known {
        return Ok(());
    }
    let mut response = service.fetch(&url, None).await?;
    if response.status_code() != 200 {
        return Ok(());
    }
    let modified = response.headers().get("last-modified")?;
    let length = response.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    let too_large = || worker::Error::RustError(format!("it must have at most {bytes_max} bytes"));
    let length = length.filter(|length| *length <= bytes_max).ok_or_else(too_large)?;
    // Piece by piece: as a whole it would be in the runtime's memory and in ours.
    let mut bytes = Vec::with_capacity(length);
    let mut pieces = response.stream()?;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if bytes.len() + piece.len() > length {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    let value = parse(bytes).map_err(worker::Error::RustError)?;
    kept.with_borrow_mut(|kept| {
        kept.value = Some(Rc::new(value));
        kept.modified = modified;
    });
    Ok(())
}

async fn modified(service: &Fetcher, url: &str) -> Result<Option<String>> {
    let mut init = RequestInit::new();
    init.with_method(Method::Head);
    service.fetch(url, Some(init)).await?.headers().get("last-modified")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_at_a_time_and_not_too_often() {
        let mut kept = Kept::<()>::new();
        assert!(kept.begin(1_000_000) && !kept.begin(1_000_000), "another request is looking");
        kept.end(1_000_500);
        assert!(!kept.begin(1_000_500 + LOOK_EVERY_MS - 1));
        assert!(kept.begin(1_000_500 + LOOK_EVERY_MS));
        assert!(kept.begin(1_000_501 + LOOK_EVERY_MS + TIMEOUT_MS), "whoever looked has gone away");
    }

    #[test]
    fn only_the_first_look_is_awaited() {
        let mut kept = Kept::<()>::new();
        assert!(!kept.is_awaited() && kept.begin(1_000_000) && kept.is_awaited());
        kept.end(1_000_500);
        assert!(!kept.is_awaited() && kept.begin(1_000_500 + LOOK_EVERY_MS) && !kept.is_awaited());
    }
}
