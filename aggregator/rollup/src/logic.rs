//! Which logic made, or is to make, the rows of which sequences.

mod replayed;

pub use replayed::replayed;

use crate::fold::FOLD_VERSION;
use crate::manifest::LogicFrom;

impl LogicFrom {
    /// The program's own choice: neither pinned nor continued from another state.
    pub fn new(from_seq: u64, logic: impl Into<String>) -> Self {
        Self { from_seq, logic: logic.into(), pinned: false, state: None }
    }
}

/// A logic version taken apart: version of the fold's code and start of the rules' digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogicName<'a> {
    /// Version of the fold.
    pub fold: u32,
    /// First 16 hex digits of the digest of the rules.
    pub rules: &'a str,
}

impl<'a> LogicName<'a> {
    /// Reads `<fold>-<16 hex digits>`; `None` when it is something else.
    pub fn parse(logic: &'a str) -> Option<Self> {
        let (fold, rules) = logic.split_once('-')?;
        let is_digest = rules.len() == 16 && rules.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        // One spelling: versions are compared as texts.
        let fold = fold.parse().ok().filter(|known: &u32| *known > 0 && known.to_string() == fold)?;
        is_digest.then_some(Self { fold, rules })
    }

    /// Whether this program's fold is the one, or replaces it.
    pub fn is_foldable(self) -> bool {
        self.fold <= FOLD_VERSION
    }
}

/// The entry of a history that holds at a sequence.
pub fn at(history: &[LogicFrom], seq: u64) -> Option<&LogicFrom> {
    history.iter().rev().find(|from| from.from_seq <= seq)
}

/// The history of a partition whose rows from `from_seq` on are made with other logic: what held before, then the new. `logic` = `None` keeps
/// the history as it is.
pub fn with_override(history: &[LogicFrom], from_seq: u64, logic: Option<LogicFrom>) -> Vec<LogicFrom> {
    let Some(logic) = logic else { return history.to_vec() };
    let mut changed: Vec<LogicFrom> = history.iter().filter(|from| from.from_seq < from_seq).cloned().collect();
    changed.push(LogicFrom { from_seq, ..logic });
    changed
}

/// The history after a rollback at `rolled_seq` of a promotion that went through `promoted_seq`: the former one, for the rows since the promotion the one
/// that made them, and from then on what was the last of the former. Rows since then continued from the replay's state.
pub fn rolled_back(
    former: &[LogicFrom],
    promoted: &[LogicFrom],
    promoted_seq: u64,
    rolled_seq: u64,
    state: Option<crate::manifest::ObjectRef>,
) -> Vec<LogicFrom> {
    let mut history: Vec<LogicFrom> = former.iter().filter(|from| from.from_seq <= promoted_seq).cloned().collect();
    let Some(last) = former.last().cloned() else { return promoted.to_vec() };
    if rolled_seq > promoted_seq {
        let since = at(promoted, promoted_seq + 1).cloned();
        history.extend(since.map(|from| LogicFrom { from_seq: promoted_seq + 1, state, ..from }));
        history.extend(promoted.iter().filter(|from| from.from_seq > promoted_seq + 1 && from.from_seq <= rolled_seq).cloned());
    }
    history.push(LogicFrom { from_seq: rolled_seq + 1, state: None, ..last });
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(history: &[LogicFrom]) -> Vec<(u64, &str, bool)> {
        history.iter().map(|from| (from.from_seq, from.logic.as_str(), from.state.is_some())).collect()
    }

    #[test]
    fn a_logic_version_is_a_fold_and_a_digest() {
        let name = LogicName::parse("2-0123456789abcdef").unwrap();
        assert_eq!((name.fold, name.rules, name.is_foldable()), (2, "0123456789abcdef", true));
        assert!(!LogicName::parse("9999-0123456789abcdef").unwrap().is_foldable());
        for wrong in ["", "2", "0-0123456789abcdef", "x-0123456789abcdef", "2-0123", "2-0123456789abcdeg", "2-../../../../../x"]
            .into_iter()
            .chain(["+2-0123456789abcdef", "02-0123456789abcdef", "2-0123456789ABCDEF"])
        {
            assert_eq!(LogicName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_override_holds_from_its_sequence_on() {
        let history = [LogicFrom::new(1, "a"), LogicFrom::new(10, "b"), LogicFrom::new(20, "c")];
        assert_eq!(at(&history, 9).unwrap().logic, "a");
        assert_eq!(at(&history, 10).unwrap().logic, "b");
        assert_eq!(at(&history, 0), None);
        assert_eq!(with_override(&history, 10, None), history);
        let changed = with_override(&history, 10, Some(LogicFrom::new(0, "x")));
        assert_eq!(told(&changed), [(1, "a", false), (10, "x", false)]);
        assert_eq!(told(&with_override(&history, 1, Some(LogicFrom::new(0, "x")))), [(1, "x", false)]);
    }

    #[test]
    fn a_rollback_keeps_what_made_the_rows_since_the_promotion() {
        let state = || Some(crate::manifest::ObjectRef { name: "s".to_owned(), checksum: String::new() });
        let former = [LogicFrom::new(1, "a"), LogicFrom::new(8, "b")];
        let promoted = [LogicFrom::new(1, "a"), LogicFrom::new(5, "x")];
        let rolled = rolled_back(&former, &promoted, 30, 40, state());
        assert_eq!(told(&rolled), [(1, "a", false), (8, "b", false), (31, "x", true), (41, "b", false)]);
        assert_eq!(told(&rolled_back(&former, &promoted, 30, 30, state())), [(1, "a", false), (8, "b", false), (31, "b", false)]);
        let since = [LogicFrom::new(1, "x"), LogicFrom::new(35, "y")];
        let rolled = rolled_back(&former, &since, 30, 40, state());
        assert_eq!(told(&rolled), [(1, "a", false), (8, "b", false), (31, "x", true), (35, "y", false), (41, "b", false)]);
    }
}
