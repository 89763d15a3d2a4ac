//! The last plan, remembered so that the building can be asked for without saying it all again.

use super::{Logic, ReplayError, Replayer, Start, Wanted};
use serde::{Deserialize, Serialize};
use weir_event::subject::{REPLAY_BUCKET, replay_plan_key};
use weir_reader::{ReaderError, buckets, replays, rules};

/// Version of the JSON.
const PLAN_VERSION: u32 = 1;

/// A plan as it is stored. Its rules are in the store.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Planned {
    version: u32,
    start: PlannedStart,
    partition: Option<u32>,
    logic: PlannedLogic,
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum PlannedStart {
    Seq(u64),
    TimeMs(u64),
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum PlannedLogic {
    Unchanged,
    BuiltIn,
    /// First 16 hex digits of the rules' digest.
    Rules(String),
}

impl Replayer {
    /// Remembers a plan, in the place of the former one.
    pub async fn remember(&self, wanted: &Wanted) -> Result<(), ReplayError> {
        let logic = match &wanted.logic {
            Logic::Unchanged => PlannedLogic::Unchanged,
            Logic::BuiltIn => PlannedLogic::BuiltIn,
            Logic::Given(data) => PlannedLogic::Rules(rules::put(&self.shared.store, data).await?),
        };
        let start = match wanted.start {
            Start::Seq(seq) => PlannedStart::Seq(seq),
            Start::TimeMs(ms) => PlannedStart::TimeMs(ms),
        };
        let planned = Planned { version: PLAN_VERSION, start, partition: wanted.partition, logic };
        let bytes = serde_json::to_vec(&planned).map_err(|error| unreadable(&error))?;
        let bucket = self.shared.jetstream.get_key_value(REPLAY_BUCKET).await.map_err(|error| unreachable(&error))?;
        bucket.put(replay_plan_key(self.region()), bytes.into()).await.map_err(|error| unreachable(&error))?;
        Ok(())
    }

    /// The last plan that no replay was built from.
    pub async fn remembered(&self) -> Result<Option<Wanted>, ReplayError> {
        let key = replay_plan_key(self.region());
        let Some(entry) = buckets::get(&self.shared.jetstream, REPLAY_BUCKET, &key).await? else { return Ok(None) };
        let Some(value) = entry.value else { return Ok(None) };
        let planned: Planned = serde_json::from_slice(&value).map_err(|error| unreadable(&error))?;
        if planned.version != PLAN_VERSION {
            return Err(ReaderError::Version { name: key, found: planned.version, known: PLAN_VERSION }.into());
        }
        let start = match planned.start {
            PlannedStart::Seq(seq) => Start::Seq(seq),
            PlannedStart::TimeMs(ms) => Start::TimeMs(ms),
        };
        let logic = match planned.logic {
            PlannedLogic::Unchanged => Logic::Unchanged,
            PlannedLogic::BuiltIn => Logic::BuiltIn,
            PlannedLogic::Rules(digest) => Logic::Given(rules::get(&self.shared.store, &digest).await?),
        };
        Ok(Some(Wanted { start, partition: planned.partition, logic }))
    }

    /// Forgets the last plan: a replay was begun. One that stays does no harm.
    pub(super) async fn forget(&self) {
        let forgotten = async {
            let bucket = self.shared.jetstream.get_key_value(REPLAY_BUCKET).await.map_err(|error| error.to_string())?;
            bucket.delete(replay_plan_key(self.region())).await.map_err(|error| error.to_string())
        };
        if let Err(error) = forgotten.await {
            tracing::debug!(error, "the last plan could not be forgotten");
        }
    }

    /// Whether the shadow that is there is built with this logic; `None` = there is no shadow.
    ///
    /// # Errors
    /// When the record cannot be read, or the rules do not compile.
    pub async fn is_built_with(&self, logic: &Logic) -> Result<Option<bool>, ReplayError> {
        let there = replays::get(&self.shared.jetstream, self.region()).await?;
        let Some(entry) = there.filter(|entry| entry.record.phase.has_shadow()) else { return Ok(None) };
        let logic = self.logic(logic).await?;
        Ok(Some(logic.map(|logic| logic.logic) == entry.record.logic))
    }
}

fn unreadable(error: &serde_json::Error) -> ReplayError {
    ReplayError::Plan { cause: error.to_string() }
}

fn unreachable(error: &dyn std::error::Error) -> ReplayError {
    ReplayError::Plan { cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_a_plan_is_pinned() {
        let planned = Planned {
            version: 1,
            start: PlannedStart::TimeMs(5),
            partition: Some(1),
            logic: PlannedLogic::Rules("0123456789abcdef".to_owned()),
        };
        let text = r#"{"version":1,"start":{"time_ms":5},"partition":1,"logic":{"rules":"0123456789abcdef"}}"#;
        assert_eq!(serde_json::to_string(&planned).unwrap(), text);
        assert_eq!(serde_json::from_str::<Planned>(text).unwrap(), planned);
    }
}
