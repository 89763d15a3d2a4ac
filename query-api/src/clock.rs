//! The time of day, from one place.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time; tests hold it still.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// This machine's clock.
    System,
    /// Always this, Unix milliseconds.
    Fixed(u64),
    /// What this says, Unix milliseconds.
    Held(&'static AtomicU64),
}

impl Clock {
    /// Unix milliseconds.
    pub fn now_ms(self) -> u64 {
        match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64),
            Self::Fixed(now_ms) => now_ms,
            Self::Held(now_ms) => now_ms.load(Ordering::Relaxed),
        }
    }
}
