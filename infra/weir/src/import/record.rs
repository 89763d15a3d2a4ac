//! What the status bucket says of an import: begun, how far, finished.

use crate::session::{Session, now_ms};
use anyhow::{Context as _, Result};
use async_nats::jetstream::kv::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_event::subject::STATUS_BUCKET;

/// Acknowledged batches after which the record is written anew.
pub(super) const NOTE_EVERY: u64 = 32;
/// Different reasons that are counted apart.
const REASONS_MAX: usize = 50;

/// What became of a file's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Lines that became events.
    pub(crate) taken: u64,
    /// Requests of a log that are no page views.
    pub(crate) skipped: u64,
    /// Lines that cannot be events, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
    /// The file was imported before: nothing was taken now.
    #[serde(default)]
    pub(crate) already_imported: bool,
}

/// Where an import stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// When the first attempt began, Unix milliseconds.
    pub(super) started_ms: u64,
    /// Days by which times are moved.
    pub(super) shift_days: i32,
    /// Last batch known to be stored.
    pub(super) acknowledged: u64,
    /// The outcome, once it is finished.
    pub(super) done: Option<Done>,
}

/// A finished import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    finished_ms: u64,
    #[serde(flatten)]
    tally: Tally,
}

/// The record of one file and site.
pub(super) struct Records<'a> {
    session: &'a Session,
    bucket: Store,
    key: String,
}

impl Tally {
    /// Counts a refused line. Past a number of different reasons they are counted together.
    pub(super) fn refuse(&mut self, reason: String) {
        let is_known = self.refused.contains_key(&reason) || self.refused.len() < REASONS_MAX;
        *self.refused.entry(if is_known { reason } else { "other reasons".to_owned() }).or_insert(0) += 1;
    }

    /// The summary for people.
    pub(crate) fn text(&self) -> String {
        if self.already_imported {
            return "0 taken: this file was imported before".to_owned();
        }
        let refused: u64 = self.refused.values().sum();
        let mut lines = vec![format!("{} taken, {} skipped (not page views), {refused} refused", self.taken, self.skipped)];
        lines.extend(self.refused.iter().map(|(reason, count)| format!("  {count} × {reason}")));
        lines.join("\n")
    }
}

impl<'a> Records<'a> {
    pub(super) async fn new(session: &'a Session, site_id: u32, digest: &[u8; 32]) -> Result<Self> {
        let key = format!("import.{site_id}.{}", hex::encode(digest));
        Ok(Self { session, bucket: session.bucket(STATUS_BUCKET).await?, key })
    }

    /// What is known; `None` when the file is new.
    pub(super) async fn load(&self) -> Result<Option<Record>> {
        let Some(entry) = self.session.get(STATUS_BUCKET, &self.key).await? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&entry.value.unwrap_or_default()).context("the record of the import is damaged")?))
    }

    /// Notes the beginning. Another process that began at the same moment wins: its record counts.
    pub(super) async fn start(&self, started_ms: u64, shift_days: i32) -> Result<Record> {
        let record = Record { started_ms, shift_days, acknowledged: 0, done: None };
        match self.bucket.create(&self.key, serde_json::to_vec(&record)?.into()).await {
            Ok(_) => Ok(record),
            Err(error) => match self.load().await? {
                Some(other) => Ok(other),
                None => Err(error).context("the import could not be noted"),
            },
        }
    }

    /// Notes how far it is.
    pub(super) async fn note(&self, record: &Record, acknowledged: u64) -> Result<()> {
        self.put(&Record { acknowledged, ..record.clone() }).await
    }

    /// Notes the end.
    pub(super) async fn finish(&self, record: &Record, acknowledged: u64, tally: &Tally) -> Result<()> {
        let done = Done { finished_ms: now_ms(), tally: tally.clone() };
        self.put(&Record { acknowledged, done: Some(done), ..record.clone() }).await
    }

    async fn put(&self, record: &Record) -> Result<()> {
        self.bucket.put(&self.key, serde_json::to_vec(record)?.into()).await.context("the import could not be noted")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded_and_balanced() {
        let mut tally = Tally { taken: 2, ..Tally::default() };
        for number in 0..200 {
            tally.refuse(format!("reason {number}"));
        }
        assert_eq!(tally.refused.len(), REASONS_MAX + 1);
        assert_eq!(tally.refused.values().sum::<u64>(), 200);
        assert!(tally.text().starts_with("2 taken, 0 skipped (not page views), 200 refused"));
    }

    #[test]
    fn a_record_survives_json() {
        let done = Done { finished_ms: 4, tally: Tally { taken: 1, ..Tally::default() } };
        let record = Record { started_ms: 1, shift_days: -2, acknowledged: 3, done: Some(done) };
        assert_eq!(serde_json::from_str::<Record>(&serde_json::to_string(&record).unwrap()).unwrap(), record);
    }
}
