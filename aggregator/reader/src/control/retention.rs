//! How long events are kept. Of a site: in its settings. Of all sites: bucket `WEIR_SITES`, key `retention`.

use super::{ChangeError, change, sites};
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use weir_event::subject::SITES_BUCKET;

/// Key of the record.
const KEY: &str = "retention";
/// Longest retention, days.
pub const DAYS_MAX: u32 = 36_500;
/// Length of a day, milliseconds.
const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    days: u32,
}

/// How long which events are kept, days; 0 = for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those of all sites.
    pub overall_days: u32,
    /// Those of sites that chose a shorter time, by their numbers.
    pub sites: Vec<(u32, u32)>,
}

impl Retention {
    /// From which time on events are kept, by site (0 = all): those that happened before are to be forgotten. Times are UTC midnights.
    pub fn cutoffs(&self, now_ms: u64) -> Vec<(u32, i64)> {
        let today_ms = i64::try_from(now_ms).unwrap_or(i64::MAX).div_euclid(DAY_MS) * DAY_MS;
        let before = |days: u32| today_ms - i64::from(days) * DAY_MS;
        let is_shorter = |days: u32| days > 0 && (self.overall_days == 0 || days < self.overall_days);
        let overall = (self.overall_days > 0).then(|| (0, before(self.overall_days)));
        let sites = self.sites.iter().filter(|(_, days)| is_shorter(*days)).map(|(site_id, days)| (*site_id, before(*days)));
        overall.into_iter().chain(sites).collect()
    }
}

/// What holds for the sites of a partition.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn of_partition(jetstream: &Context, partition: u32) -> Result<Retention, ReaderError> {
    let all = sites::all(jetstream).await?;
    let chosen = all.into_iter().filter(|site| site.partition == partition && site.settings.retention_days > 0);
    let sites = chosen.map(|site| (site.id, site.settings.retention_days)).collect();
    Ok(Retention { overall_days: overall(jetstream).await?, sites })
}

/// Days that events of all sites are kept; 0 = for ever.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn overall(jetstream: &Context) -> Result<u32, ReaderError> {
    let entry = crate::buckets::get(jetstream, SITES_BUCKET, KEY).await?;
    let Some(value) = entry.and_then(|entry| entry.value) else { return Ok(0) };
    let record: Record = serde_json::from_slice(&value).map_err(|cause| ReaderError::malformed(KEY, cause))?;
    Ok(record.days)
}

/// Sets them.
///
/// # Errors
/// When the bucket cannot be changed.
pub async fn set_overall(jetstream: &Context, days: u32) -> Result<(), ChangeError<Infallible>> {
    change(jetstream, SITES_BUCKET, KEY, |_: Option<Record>| Ok((days > 0).then_some(Record { days }))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_time_holds_from_midnight_on() {
        let noon = 100 * DAY_MS as u64 + DAY_MS as u64 / 2;
        let cutoffs = |overall_days, sites: &[(u32, u32)]| Retention { overall_days, sites: sites.to_vec() }.cutoffs(noon);
        assert_eq!(cutoffs(0, &[]), []);
        assert_eq!(cutoffs(30, &[(1, 30), (2, 29), (3, 0), (4, 400)]), [(0, 70 * DAY_MS), (2, 71 * DAY_MS)]);
        assert_eq!(cutoffs(0, &[(1, 30), (4, 400)]), [(1, 70 * DAY_MS), (4, -300 * DAY_MS)]);
    }
}
