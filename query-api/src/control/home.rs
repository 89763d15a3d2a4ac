//! Where sites, accounts, keys and definitions are changed: in one region, the home. The control buckets of this one are a copy, kept up here.

use super::Directory;
use crate::error::ApiError;
use crate::regions::OtherRegion;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;
use weir_event::model::{ControlKind, DeleteSite};
use weir_event::site::Site;
use weir_event::subject::SITES_BUCKET;
use weir_reader::ReaderError;
use weir_reader::buckets::{self, Change, Entry};
use weir_reader::control::{erasures, home, sites};

/// Pause before what failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Records under way at the same time.
const COPIED_AT_ONCE: usize = 64;
/// Attempts to write a key while others write it too.
const ATTEMPTS_MAX: u32 = 100;

/// Where what is set up is changed.
#[derive(Clone, Debug)]
pub enum HomeSetting {
    /// Nothing is said of it: here, unless the buckets are marked as a copy.
    Unsaid,
    /// Here: if the buckets were a copy, they are the original from now on.
    Here,
    /// In another region.
    At(Arc<OtherRegion>),
}

/// How copying stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// The home has not answered yet.
    Waiting,
    /// What was there when it began is being copied.
    Copying { buckets: usize },
    /// Copies follow.
    Following,
    /// The buckets have sites of their own: they are left as they are, and changed here.
    Refused { reason: String },
}

/// Another region as the home of this one.
pub(super) struct Home {
    other: Arc<OtherRegion>,
    /// The own buckets.
    copy: Context,
    /// Name of the own region.
    region: String,
    standing: Mutex<Standing>,
}

impl Home {
    pub(super) fn new(other: Arc<OtherRegion>, copy: Context, region: &str) -> Self {
        Self { other, copy, region: region.to_owned(), standing: Mutex::new(Standing::Waiting) }
    }

    fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stand(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    fn caught_up(&self) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *standing = if let Standing::Copying { buckets: buckets @ 2.. } = &*standing {
            Standing::Copying { buckets: buckets - 1 }
        } else {
            tracing::info!(home = self.other.name, "the control buckets follow those of the home region");
            Standing::Following
        };
    }

    /// Keeps the copies up. Does not return.
    pub(super) async fn keep(&self) {
        loop {
            if let Some(home) = self.other.jetstream() {
                match self.begin(home).await {
                    Ok(None) => break Box::pin(self.follow(home)).await,
                    Ok(Some(reason)) => {
                        if self.standing() != (Standing::Refused { reason: reason.clone() }) {
                            tracing::error!(
                                home = self.other.name,
                                reason,
                                "the control buckets are no copy of the home region's"
                            );
                        }
                        self.stand(Standing::Refused { reason });
                    }
                    Err(error) => {
                        tracing::warn!(home = self.other.name, %error, "the home region cannot be copied, trying again");
                    }
                }
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    /// Marks the buckets as a copy; why they cannot be one.
    async fn begin(&self, home: &Context) -> Result<Option<String>, ReaderError> {
        if home::home_of(&self.copy, SITES_BUCKET).await?.is_none() {
            // Numbers of sites would mean different sites in different regions.
            for (key, value) in home::values(&self.copy, SITES_BUCKET).await? {
                let is_site = key.starts_with("site.");
                let there = if is_site { buckets::get(home, SITES_BUCKET, &key).await? } else { None };
                if is_site && there.and_then(|entry| entry.value) != Some(value) {
                    return Ok(Some(format!(
                        "region {} has sites of its own ({key}), which {} has not or not so: delete them, or leave `home` out of regions.toml",
                        self.region, self.other.name
                    )));
                }
            }
        }
        for bucket in home::BUCKETS {
            if home::home_of(&self.copy, bucket).await?.as_ref() != Some(&self.other.name) {
                home::set_home(&self.copy, bucket, Some(&self.other.name)).await?;
            }
        }
        self.stand(Standing::Copying { buckets: home::BUCKETS.len() });
        Ok(None)
    }

    async fn follow(&self, home: &Context) {
        let [one, two, three, four] = home::BUCKETS;
        tokio::join!(
            self.follow_one(home, one),
            self.follow_one(home, two),
            self.follow_one(home, three),
            self.follow_one(home, four)
        );
    }

    async fn follow_one(&self, from: &Context, bucket: &str) {
        let opened = || async {
            // Only what differs has to be asked for one by one.
            let known = home::values(&self.copy, bucket).await?;
            Ok::<_, ReaderError>((known, buckets::watch(from, bucket, ">").await?))
        };
        let (mut known, mut watch) = loop {
            match opened().await {
                Ok(opened) => break opened,
                Err(error) => {
                    tracing::warn!(bucket.name = bucket, %error, "a bucket of the home region cannot be followed, trying again");
                    sleep(AGAIN_AFTER).await;
                }
            }
        };
        // Another region is far away: records are not copied one after the other.
        let (mut copying, mut is_seeding) = (FuturesUnordered::new(), true);
        loop {
            let change = tokio::select! {
                change = watch.next(), if copying.len() < COPIED_AT_ONCE => change,
                Some(()) = copying.next() => continue,
            };
            match change {
                Change::CaughtUp => {
                    while copying.next().await.is_some() {}
                    (known, is_seeding) = (BTreeMap::new(), false);
                    self.caught_up();
                }
                Change::Entry(entry) if !home::is_copied(&entry.key) => {}
                Change::Entry(entry) if entry.value.is_some() && known.get(&entry.key) == entry.value.as_ref() => {}
                Change::Entry(entry) => {
                    let is_absent = is_seeding && !known.contains_key(&entry.key);
                    copying.push(self.copy_one(bucket, entry, is_absent));
                }
            }
        }
    }

    /// Copies what a watch told, however often it has to be tried.
    async fn copy_one(&self, bucket: &str, entry: Entry, is_absent: bool) {
        while let Err(error) = self.try_copy(bucket, &entry, is_absent).await {
            tracing::warn!(bucket.name = bucket, %error, "a record of the home region cannot be copied, trying again");
            sleep(AGAIN_AFTER).await;
        }
    }

    /// A key that the copy never had cannot go back: it is written without asking home again. What is newer is told too.
    async fn try_copy(&self, bucket: &str, entry: &Entry, is_absent: bool) -> Result<(), ReaderError> {
        if is_absent && entry.value.is_some() {
            let value = entry.value.clone();
            if home::write(&self.copy, bucket, &entry.key, 0, value).await?.is_some() {
                return Ok(());
            }
        }
        self.bring(bucket, &entry.key).await.map(drop)
    }

    /// Copies one key; the own entry then.
    pub(super) async fn bring(&self, bucket: &str, key: &str) -> Result<Option<Entry>, ReaderError> {
        let Some(from) = self.other.jetstream() else { return Ok(None) };
        for _ in 0..ATTEMPTS_MAX {
            let (expected, former, value) = match home::compare(from, &self.copy, bucket, key).await? {
                home::Step::None(entry) => return Ok(entry),
                home::Step::Write { expected, former, value } => (expected, former, value),
            };
            if let (Some(former), None, SITES_BUCKET) = (&former, &value, bucket) {
                self.forget(key, former).await?;
            }
            if let Some(entry) = home::write(&self.copy, bucket, key, expected, value).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The events of a site that was removed at home are to be forgotten here too. First of all, so that what was done halfway is done again.
    async fn forget(&self, key: &str, former: &Bytes) -> Result<(), ReaderError> {
        let Ok(site) = serde_json::from_slice::<Site>(former) else { return Ok(()) };
        // A former domain that became free.
        if sites::key(&site.domain) != key {
            return Ok(());
        }
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64);
        let kind = ControlKind::DeleteSite(DeleteSite { site_id: site.id });
        let asked = erasures::ask(&self.copy, &self.region, site.partition, kind, now_ms).await?;
        tracing::info!(
            site.id = site.id,
            erasure = asked.id,
            "the events of a site that was removed at home are to be forgotten"
        );
        Ok(())
    }

    /// The buckets of the home, if it answers.
    fn writable(&self) -> Result<&Context, ApiError> {
        if matches!(self.standing(), Standing::Refused { .. }) {
            return Ok(&self.copy);
        }
        let there = self.other.jetstream().filter(|home| home.client().connection_state() == State::Connected);
        there.ok_or_else(|| self.away())
    }

    fn away(&self) -> ApiError {
        ApiError::HomeRegionAway { home: self.other.name.clone() }
    }
}

impl Directory {
    /// Where what is set up is changed, and how far this region's copy is; null where that is here.
    pub fn home(&self) -> Value {
        let Some(home) = self.home.get() else { return Value::Null };
        let (state, reason) = match home.standing() {
            Standing::Waiting => ("waiting", None),
            Standing::Copying { .. } => ("copying", None),
            Standing::Following => ("following", None),
            Standing::Refused { reason } => ("refused", Some(reason)),
        };
        json!({"region": home.other.name, "state": state, "reason": reason})
    }

    /// The buckets where changes are made.
    pub(super) fn writable(&self) -> Result<&Context, ApiError> {
        match self.home.get() {
            Some(home) => home.writable(),
            None => self.jetstream.get().ok_or(ApiError::Unavailable),
        }
    }

    /// Name of the region whose buckets [`Directory::writable`] gives; `None` = the own one.
    pub(super) fn written_region(&self) -> Option<&str> {
        let home = self.home.get().filter(|home| !matches!(home.standing(), Standing::Refused { .. }))?;
        Some(&home.other.name)
    }

    /// What to say when a change failed that is nobody's fault.
    pub(super) fn unavailable(&self) -> ApiError {
        self.home.get().map_or(ApiError::Unavailable, Home::away)
    }

    /// Takes over what a change left in a bucket: who was answered sees his change.
    pub(super) async fn took(&self, bucket: &str, entry: &Entry, take: impl Fn(&Entry)) {
        let Some(home) = self.home.get().filter(|_| self.written_region().is_some()) else { return take(entry) };
        match home.bring(bucket, &entry.key).await {
            Ok(Some(entry)) => take(&entry),
            Ok(None) => {}
            // It is changed at home, and comes by itself.
            Err(error) => tracing::warn!(bucket.name = bucket, %error, "a change at home is not copied yet"),
        }
    }
}
