//! Which logic the live end is folded with: the one that the manifest's last entry names, because the aggregator folds with it too.

use std::sync::Arc;
use weir_reader::rules::{LogicError, Rulebook};
use weir_rollup::logic::LogicName;
use weir_rollup::manifest::{Manifest, PromotionKind};
use weir_rollup::rules::Rules;

/// Why a live end cannot be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The store is away: the same may work in a moment.
    Store(String),
    /// The fold is newer than this program, or the rules are not there, not whole, or not usable.
    Logic(String),
}

/// The rules for the messages behind a manifest; the program's own where nothing was committed yet.
pub(super) async fn rules(book: &Rulebook, manifest: Option<&Manifest>) -> Result<Arc<Rules>, Lack> {
    let Some(from) = manifest.and_then(|manifest| manifest.logic.last()) else { return Ok(Arc::clone(book.own())) };
    book.for_logic(&from.logic).await.map_err(|error| {
        let text = format!("from message {} on: {error}", from.from_seq);
        match error {
            LogicError::Unreadable { cause, .. } if cause.is_transient() => Lack::Store(text),
            _ => Lack::Logic(text),
        }
    })
}

/// Whether a live end that was folded behind `before` goes on behind `next`: the same logic, and nothing was exchanged in between. `own` are the
/// rules that were used where nothing was committed before.
pub(super) fn goes_on(before: Option<&Manifest>, next: Option<&Manifest>, own: &Rules) -> bool {
    match (before, next) {
        (None, None) => true,
        (Some(_), None) => false,
        (None, Some(next)) => {
            let is_own = |logic: &str| {
                LogicName::parse(logic).is_some_and(|name| name.is_foldable() && own.digest().starts_with(name.rules))
            };
            next.promotion.is_none() && next.logic.last().is_none_or(|last| is_own(&last.logic))
        }
        (Some(before), Some(next)) => {
            before.logic.last() == next.logic.last() && switch(before) == switch(next) && before.sealed_seq <= next.sealed_seq
        }
    }
}

/// What tells one exchange of a partition's history from the next. That a rollback is no longer offered exchanges nothing.
fn switch(manifest: &Manifest) -> Option<(&str, PromotionKind, u64)> {
    manifest.promotion.as_ref().map(|promotion| (promotion.replay_id.as_str(), promotion.kind, promotion.revision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_reader::store::Store;
    use weir_rollup::fold::FOLD_VERSION;
    use weir_rollup::manifest::{LogicFrom, MANIFEST_VERSION, ObjectRef, Promotion, StreamIdentity};

    fn manifest(logic: &str) -> Manifest {
        Manifest {
            version: MANIFEST_VERSION,
            revision: 3,
            parent: None,
            region: "local".to_owned(),
            partition: 0,
            sealed_seq: 9,
            sealed_stream_ms: 0,
            parts: Vec::new(),
            state: Vec::new(),
            archived_seq: 0,
            logic: vec![LogicFrom::new(1, "1-0000000000000000"), LogicFrom::new(5, logic)],
            stream: StreamIdentity { name: String::new(), created: String::new(), sealed_message_id: String::new() },
            written_ms: 0,
            accepted: None,
            checkpoints: Vec::new(),
            promotion: None,
            archive: Vec::new(),
            rollups: Vec::new(),
            erasures: Vec::new(),
            erased: 0,
        }
    }

    fn promotion(kind: PromotionKind, revision: u64, former: Option<ObjectRef>) -> Promotion {
        let replay_id = "ab".to_owned();
        Promotion { replay_id, kind, at_ms: 1, revision, from_seq: 1, through_seq: 9, former, state: None }
    }

    #[test]
    fn a_live_end_goes_on_only_behind_the_same_history() {
        let own = Rules::built_in().unwrap();
        let (ours, others) = (own.logic(), format!("{FOLD_VERSION}-0123456789abcdef"));
        let before = manifest(&ours);
        let next = |change: fn(&mut Manifest)| {
            let mut next = manifest(&own.logic());
            change(&mut next);
            next
        };
        let former = || Some(ObjectRef { name: "m".to_owned(), checksum: String::new() });
        assert!(goes_on(Some(&before), Some(&next(|next| next.sealed_seq = 10)), &own));
        assert!(goes_on(Some(&before), Some(&next(|next| next.logic.remove(0).from_seq = 0)), &own), "an older entry");
        assert!(!goes_on(Some(&before), Some(&next(|next| next.sealed_seq = 8)), &own), "the sealed sequence went back");
        assert!(!goes_on(Some(&before), Some(&manifest(&others)), &own));
        assert!(!goes_on(Some(&before), Some(&next(|next| next.logic[1].from_seq = 6)), &own));
        assert!(!goes_on(Some(&before), Some(&next(|next| next.logic[1].pinned = true)), &own));
        assert!(!goes_on(Some(&before), None, &own));
        let promoted = Manifest { promotion: Some(promotion(PromotionKind::Promote, 4, former())), ..manifest(&ours) };
        let rolled_back = Manifest { promotion: Some(promotion(PromotionKind::Rollback, 5, None)), ..manifest(&ours) };
        let again = Manifest { promotion: Some(promotion(PromotionKind::Promote, 6, former())), ..manifest(&ours) };
        let kept = Manifest { promotion: Some(promotion(PromotionKind::Promote, 4, None)), ..manifest(&ours) };
        for (from, to) in [(&before, &promoted), (&promoted, &rolled_back), (&promoted, &again), (&promoted, &before)] {
            assert!(!goes_on(Some(from), Some(to), &own));
        }
        assert!(goes_on(Some(&promoted), Some(&kept), &own), "only its rollback is gone");
        // The first manifest.
        assert!(goes_on(None, None, &own) && goes_on(None, Some(&before), &own));
        let first = |logic: &str| goes_on(None, Some(&manifest(logic)), &own);
        let (_, digest) = ours.split_once('-').unwrap();
        assert!(first(&format!("1-{digest}")), "an earlier fold with the same rules");
        assert!(!first(&others) && !first(&format!("9999-{digest}")) && !first("x"));
        assert!(!goes_on(None, Some(&promoted), &own));
    }

    #[tokio::test]
    async fn the_last_entry_names_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let own = Rules::built_in().unwrap();
        let book = Rulebook::new(store, Arc::clone(&own));
        for manifest in [None, Some(manifest(&own.logic()))] {
            assert!(Arc::ptr_eq(&rules(&book, manifest.as_ref()).await.unwrap(), &own));
        }
        for logic in ["1-0123456789abcdef", "9999-0123456789abcdef", "x"] {
            let Err(Lack::Logic(text)) = rules(&book, Some(&manifest(logic))).await else { panic!("{logic}") };
            assert!(text.starts_with("from message 5 on: ") && text.contains(logic), "{text}");
        }
    }
}
