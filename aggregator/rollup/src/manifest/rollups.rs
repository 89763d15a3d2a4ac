//! Changes of the list of rollups.

use super::{Manifest, Rollup};
use crate::rollup::window_parts;

impl Manifest {
    /// Lists a rollup that was made from these parts (names, ascending); `false` = others have a say in it meanwhile, or its days have one,
    /// nothing is changed.
    pub fn add_rollup(&mut self, rollup: Rollup, made_from: &[String]) -> bool {
        let meets = |other: &Rollup| other.start_ms < rollup.end_ms && rollup.start_ms < other.end_ms;
        if self.rollups.iter().any(meets) || window_parts(self, rollup.start_ms, rollup.end_ms) != made_from {
            return false;
        }
        self.rollups.push(rollup);
        self.rollups.sort_unstable_by_key(|rollup| rollup.start_ms);
        true
    }

    /// Puts a rollup in the place of others that hold the same; `false` = not all of those are listed any more, nothing is changed.
    pub fn merge_rollups(&mut self, replaced: &[String], rollup: Rollup) -> bool {
        let is_replaced = |rollup: &Rollup| replaced.contains(&rollup.name);
        if self.rollups.iter().filter(|rollup| is_replaced(rollup)).count() != replaced.len() {
            return false;
        }
        self.rollups.retain(|rollup| !is_replaced(rollup));
        self.rollups.push(rollup);
        self.rollups.sort_unstable_by_key(|rollup| rollup.start_ms);
        true
    }

    /// Lists these rollups no more, so that they are made again; `false` = none of them was, nothing is changed.
    pub fn drop_rollups(&mut self, names: &[String]) -> bool {
        let before = self.rollups.len();
        self.rollups.retain(|rollup| !names.contains(&rollup.name));
        self.rollups.len() < before
    }
}
