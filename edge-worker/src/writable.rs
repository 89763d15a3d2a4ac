//! Whether events can be stored: after one could not, the health check tries before it says that all is well.
//!
//! A batcher forgets its failures when the runtime replaces it, and one whose disk is full still answers; the process remembers.

use std::cell::Cell;

thread_local! {
    static IS_IN_DOUBT: Cell<bool> = const { Cell::new(false) };
}

/// What became of the last attempt to store something.
pub(crate) fn note(is_stored: bool) {
    IS_IN_DOUBT.set(!is_stored);
}

/// The last attempt failed.
pub(crate) fn is_in_doubt() -> bool {
    IS_IN_DOUBT.get()
}
