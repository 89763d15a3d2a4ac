//! Counts what was refused or dropped in this isolate, by reason.

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static REFUSED: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Counts some more for a reason.
pub(crate) fn count(reason: &'static str, more: u32) {
    if more > 0 {
        REFUSED.with_borrow_mut(|refused| {
            let total = refused.entry(reason).or_default();
            *total = total.saturating_add(more.into());
        });
    }
}

/// All counts since the isolate began.
pub(crate) fn counts() -> BTreeMap<&'static str, u64> {
    REFUSED.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_reason() {
        count("not_json", 1);
        count("not_found", 2);
        count("not_json", 3);
        count("url", 0);
        assert_eq!(counts(), [("not_found", 2), ("not_json", 4)].into());
    }
}
