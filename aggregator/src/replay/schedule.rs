//! Which logic a replay folds each sequence with.

use weir_rollup::fold::FOLD_VERSION;
use weir_rollup::logic::{self, LogicName};
use weir_rollup::manifest::LogicFrom;

/// The history of a shadow that begins after `checkpoint_seq`: as served up to there, then as served but with this program's fold, and from
/// `from_seq` on the wanted logic, if one is wanted.
pub(super) fn of(served: &[LogicFrom], checkpoint_seq: u64, from_seq: u64, wanted: Option<LogicFrom>) -> Vec<LogicFrom> {
    let mut history: Vec<LogicFrom> = served.iter().filter(|from| from.from_seq <= checkpoint_seq).cloned().collect();
    let first = logic::at(served, checkpoint_seq + 1).cloned().map(|from| LogicFrom {
        // A state that was continued from at the very next sequence is continued from again.
        state: from.state.filter(|_| from.from_seq == checkpoint_seq + 1),
        from_seq: checkpoint_seq + 1,
        ..from
    });
    let later = served.iter().filter(|from| from.from_seq > checkpoint_seq + 1).cloned();
    for from in first.into_iter().chain(later) {
        let from = LogicFrom { logic: with_own_fold(&from.logic), ..from };
        let is_news =
            history.last().is_none_or(|last| (&last.logic, last.pinned) != (&from.logic, from.pinned) || from.state.is_some());
        if is_news {
            history.push(from);
        }
    }
    logic::with_override(&history, from_seq, wanted)
}

/// The same rules with this program's fold. A text that is no logic version stays: looking for its rules tells.
fn with_own_fold(logic: &str) -> String {
    match LogicName::parse(logic) {
        Some(name) if name.is_foldable() => format!("{FOLD_VERSION}-{}", name.rules),
        _ => logic.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_rollup::manifest::ObjectRef;

    const A: &str = "aaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbb";

    fn told(history: &[LogicFrom]) -> Vec<String> {
        let state = |from: &LogicFrom| if from.state.is_some() { " state" } else { "" };
        let short = |from: &LogicFrom| from.logic.get(..3).unwrap().to_owned();
        history.iter().map(|from| format!("{} {}{}", from.from_seq, short(from), state(from))).collect()
    }

    #[test]
    fn rows_after_the_checkpoint_have_this_programs_fold() {
        let old = |from_seq, rules| LogicFrom::new(from_seq, format!("1-{rules}"));
        let own = |from_seq, rules| LogicFrom::new(from_seq, format!("{FOLD_VERSION}-{rules}"));
        assert_eq!(told(&of(&[old(1, A)], 0, 1, None)), ["1 2-a"]);
        assert_eq!(told(&of(&[old(1, A)], 10, 15, None)), ["1 1-a", "11 2-a"]);
        assert_eq!(told(&of(&[own(1, A)], 10, 15, None)), ["1 2-a"]);
        assert_eq!(told(&of(&[own(1, A), own(13, B), own(20, A)], 10, 15, None)), ["1 2-a", "13 2-b", "20 2-a"]);
        let wanted = Some(own(0, B));
        assert_eq!(told(&of(&[own(1, A), own(13, B), own(20, A)], 10, 12, wanted.clone())), ["1 2-a", "12 2-b"]);
        assert_eq!(told(&of(&[old(1, A)], 10, 15, wanted)), ["1 1-a", "11 2-a", "15 2-b"]);
        assert_eq!(told(&of(&[], 0, 1, None)), Vec::<String>::new());
    }

    #[test]
    fn a_state_that_was_continued_from_is_so_again_unless_it_lies_before_the_checkpoint() {
        let state = Some(ObjectRef { name: "s".to_owned(), checksum: String::new() });
        let own = |from_seq, rules| LogicFrom::new(from_seq, format!("{FOLD_VERSION}-{rules}"));
        let served = [own(1, A), LogicFrom { state, ..own(13, A) }, own(20, B)];
        assert_eq!(told(&of(&served, 0, 1, None)), ["1 2-a", "13 2-a state", "20 2-b"]);
        assert_eq!(told(&of(&served, 12, 13, None)), ["1 2-a", "13 2-a state", "20 2-b"]);
        assert_eq!(told(&of(&served, 15, 16, None)), ["1 2-a", "13 2-a state", "20 2-b"], "it lies behind");
        assert_eq!(told(&of(&served, 0, 5, Some(own(0, B)))), ["1 2-a", "5 2-b"]);
    }
}
