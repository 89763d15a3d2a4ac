//! Which logic a replay folds each sequence with.

use super::{LogicName, at, with_override};
use crate::fold::FOLD_VERSION;
use crate::manifest::LogicFrom;

/// The history of a shadow that begins after `checkpoint_seq`: as served up to there, then as served but with this program's fold, and from
/// `from_seq` on the wanted logic, if one is wanted.
pub fn replayed(served: &[LogicFrom], checkpoint_seq: u64, from_seq: u64, wanted: Option<LogicFrom>) -> Vec<LogicFrom> {
    let mut history: Vec<LogicFrom> = served.iter().filter(|from| from.from_seq <= checkpoint_seq).cloned().collect();
    let first = at(served, checkpoint_seq + 1).cloned().map(|from| LogicFrom {
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
    with_override(&history, from_seq, wanted)
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
    use crate::manifest::ObjectRef;

    const A: &str = "aaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbb";

    fn told(history: &[LogicFrom]) -> Vec<String> {
        let state = |from: &LogicFrom| if from.state.is_some() { " state" } else { "" };
        let short = |from: &LogicFrom| {
            let (fold, rules) = from.logic.split_once('-').unwrap();
            let fold = if fold == FOLD_VERSION.to_string() { "own" } else { fold };
            format!("{fold}-{}", rules.get(..1).unwrap())
        };
        history.iter().map(|from| format!("{} {}{}", from.from_seq, short(from), state(from))).collect()
    }

    #[test]
    fn rows_after_the_checkpoint_have_this_programs_fold() {
        let old = |from_seq, rules| LogicFrom::new(from_seq, format!("1-{rules}"));
        let own = |from_seq, rules| LogicFrom::new(from_seq, format!("{FOLD_VERSION}-{rules}"));
        assert_eq!(told(&replayed(&[old(1, A)], 0, 1, None)), ["1 own-a"]);
        assert_eq!(told(&replayed(&[old(1, A)], 10, 15, None)), ["1 1-a", "11 own-a"]);
        assert_eq!(told(&replayed(&[own(1, A)], 10, 15, None)), ["1 own-a"]);
        assert_eq!(told(&replayed(&[own(1, A), own(13, B), own(20, A)], 10, 15, None)), ["1 own-a", "13 own-b", "20 own-a"]);
        let wanted = Some(own(0, B));
        assert_eq!(told(&replayed(&[own(1, A), own(13, B), own(20, A)], 10, 12, wanted.clone())), ["1 own-a", "12 own-b"]);
        assert_eq!(told(&replayed(&[old(1, A)], 10, 15, wanted)), ["1 1-a", "11 own-a", "15 own-b"]);
        assert_eq!(told(&replayed(&[], 0, 1, None)), Vec::<String>::new());
    }

    #[test]
    fn a_state_that_was_continued_from_is_so_again_unless_it_lies_before_the_checkpoint() {
        let state = Some(ObjectRef { name: "s".to_owned(), checksum: String::new() });
        let own = |from_seq, rules| LogicFrom::new(from_seq, format!("{FOLD_VERSION}-{rules}"));
        let served = [own(1, A), LogicFrom { state, ..own(13, A) }, own(20, B)];
        assert_eq!(told(&replayed(&served, 0, 1, None)), ["1 own-a", "13 own-a state", "20 own-b"]);
        assert_eq!(told(&replayed(&served, 12, 13, None)), ["1 own-a", "13 own-a state", "20 own-b"]);
        assert_eq!(told(&replayed(&served, 15, 16, None)), ["1 own-a", "13 own-a state", "20 own-b"], "it lies behind");
        assert_eq!(told(&replayed(&served, 0, 5, Some(own(0, B)))), ["1 own-a", "5 own-b"]);
    }
}
