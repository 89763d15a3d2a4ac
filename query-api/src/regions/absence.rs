//! Whether a region's events are all in an answer, and if not, why.

use crate::tail::{Condition, PartitionView};
use serde::Serialize;
use utoipa::ToSchema;

/// A region that was not heard of for longer is away, milliseconds: its stream is asked twice a second.
pub const AWAY_AFTER_MS: u64 = 5_000;

/// Why events of a region are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// Nothing was read of it yet, since this service began: none of its events are counted.
    NotLoaded,
    /// It does not answer. What is known of it is counted, up to its `complete_through`.
    Away,
    /// Its live end cannot be followed until somebody acts. What is known of it is counted, up to its `complete_through`.
    Stopped,
    /// A file of its own cannot be read at the moment: none of its events are counted.
    Unreadable,
    /// A revision of this region alone was asked for: none of its events are counted.
    OtherRevision,
}

impl Absence {
    /// Why events of a view are missing; `None` = they are not.
    pub fn of(view: &PartitionView, now_ms: u64) -> Option<Self> {
        match &view.condition {
            _ if !view.is_ready => Some(Self::NotLoaded),
            Condition::Stopped { .. } | Condition::SealedOnly { .. } => Some(Self::Stopped),
            _ => (now_ms.saturating_sub(view.heard_ms) > AWAY_AFTER_MS).then_some(Self::Away),
        }
    }

    /// What is known of the region is counted all the same.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Away | Self::Stopped)
    }

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotLoaded => "not_loaded",
            Self::Away => "away",
            Self::Stopped => "stopped",
            Self::Unreadable => "unreadable",
            Self::OtherRevision => "other_revision",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_counted_for_as_long_as_anything_is_known() {
        let ready = PartitionView { heard_ms: 10_000, ..PartitionView::sealed(None, Condition::Live) };
        let check =
            |view: &PartitionView, now_ms, expected| assert_eq!(Absence::of(view, now_ms), expected, "{view:?} at {now_ms}");
        check(&ready, 10_000 + AWAY_AFTER_MS, None);
        check(&ready, 10_001 + AWAY_AFTER_MS, Some(Absence::Away));
        // A clock that was set back makes nobody absent.
        check(&ready, 0, None);
        check(&PartitionView { heard_ms: 10_000, ..PartitionView::loading("x") }, 10_000, Some(Absence::NotLoaded));
        let with = |condition| PartitionView { condition, ..ready.clone() };
        let reason = || "x".to_owned();
        check(&with(Condition::Loading { reason: reason() }), 10_000, None);
        check(&with(Condition::Full), 10_000, None);
        check(&with(Condition::Stopped { reason: reason() }), 10_000, Some(Absence::Stopped));
        check(&with(Condition::SealedOnly { reason: reason() }), 99_000, Some(Absence::Stopped));
        for (absence, is_counted) in [
            (Absence::NotLoaded, false),
            (Absence::Away, true),
            (Absence::Stopped, true),
            (Absence::Unreadable, false),
            (Absence::OtherRevision, false),
        ] {
            assert_eq!(absence.is_counted(), is_counted);
            assert_eq!(serde_json::to_value(absence).unwrap(), absence.name());
        }
    }
}
