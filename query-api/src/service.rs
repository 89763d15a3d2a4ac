//! Answering: from a validated query and a site to JSON, on one consistent view of the site's partition.

use crate::answer::{self, Answer, Compared, Context, Encoded, IDENTITY_SCOPE, IDENTITY_WINDOW, Meta};
use crate::buckets::Buckets;
use crate::cache::{FigureCache, Figures};
use crate::clock::Clock;
use crate::control::Directory;
use crate::engine::{AttachedPart, Cell, Engine, EngineError, Rows, Session};
use crate::error::ApiError;
use crate::freshness;
use crate::ledger::{self, LedgerAnswer, Period, Whose};
use crate::limits::{Limits, Tenant};
use crate::operator::Operator;
use crate::plan::{self, Scope, Sources, Statement};
use crate::query::calendar::Calendar;
use crate::query::{DateRange, Query, Range, Refusal};
use crate::regions::{OtherRegion, Views};
use crate::revision::{Revision, Revisions};
use crate::tail::{self, PartitionView};
use crate::telemetry::Telemetry;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_event::site::Site;
use weir_reader::store::{LocalFile, Store};
use weir_rollup::manifest::Part;

/// Milliseconds that a visitor counts as current after an event.
const CURRENT_MS: i64 = 5 * 60 * 1_000;

/// Everything that answers requests.
pub struct Service {
    /// Runs statements.
    pub engine: Arc<Engine>,
    /// Sites and keys.
    pub directory: Directory,
    /// Where parts are.
    pub store: Store,
    /// Name of the region.
    pub region: String,
    /// Where web sites reach the collector.
    pub collector_url: Option<String>,
    /// The newest view of each partition.
    pub partitions: BTreeMap<u32, watch::Receiver<Arc<PartitionView>>>,
    /// The other regions that answers are made of, by name.
    pub others: Vec<Arc<OtherRegion>>,
    /// Earlier states, and the shadow of a replay.
    pub revisions: Revisions,
    /// Figures found before.
    pub cache: FigureCache,
    /// What each tenant may take.
    pub limits: Arc<Limits>,
    /// What operators do.
    pub operator: Operator,
    /// Fires when the service is about to end.
    pub stopping: CancellationToken,
    /// The time.
    pub clock: Clock,
    /// Counts.
    pub telemetry: Telemetry,
}

impl Service {
    /// Answers a query of a site, at the expense of a tenant; `site_name` is how the caller called it.
    pub async fn query(
        &self,
        tenant: Tenant,
        site: Site,
        site_name: String,
        query: Query,
        revision: Revision,
    ) -> Result<Encoded, ApiError> {
        Ok(self.answer(tenant, &site, &site_name, query, revision).await?.encode())
    }

    /// As [`Service::query`], before it is written as JSON.
    pub async fn answer(
        &self,
        tenant: Tenant,
        site: &Site,
        site_name: &str,
        query: Query,
        revision: Revision,
    ) -> Result<Answer, ApiError> {
        let mut lost = 0;
        loop {
            match self.answer_once(tenant.clone(), site, site_name, query.clone(), revision).await {
                // It is left out from now on.
                Err(ApiError::RegionLost) if lost < self.others.len() => lost += 1,
                outcome => return outcome,
            }
        }
    }

    async fn answer_once(
        &self,
        tenant: Tenant,
        site: &Site,
        site_name: &str,
        query: Query,
        revision: Revision,
    ) -> Result<Answer, ApiError> {
        let figures = Figures::new(self, tenant, site, revision).await?;
        let now_ms = self.clock.now_ms() as i64;
        Question { site, site_name, figures, revision, now_ms }.answer(query).await
    }

    /// How many visitors had an event in the last five minutes.
    pub async fn current_visitors(&self, tenant: Tenant, site: Site, revision: Revision) -> Result<i64, ApiError> {
        let end_ms = self.clock.now_ms() as i64 + 1_000;
        let range = Range { start_ms: end_ms - 1_000 - CURRENT_MS, end_ms };
        let make = |sources: &Sources| plan::current_visitors(site.id, range, &sources.rows);
        let rows = self.rows(tenant, &site, revision, range, make).await?;
        Ok(integer(&rows, 0).unwrap_or(0))
    }

    /// The rows of a statement on a site, without the regions whose files cannot be read.
    async fn rows(
        &self,
        tenant: Tenant,
        site: &Site,
        revision: Revision,
        range: Range,
        make: impl Fn(&Sources) -> Statement,
    ) -> Result<Arc<Rows>, ApiError> {
        let mut lost = 0;
        loop {
            let found = match Figures::new(self, tenant.clone(), site, revision).await {
                Ok(figures) => figures.rows(range, &make).await,
                Err(error) => Err(error),
            };
            match found {
                Err(ApiError::RegionLost) if lost < self.others.len() => lost += 1,
                outcome => return outcome,
            }
        }
    }

    /// How many events of a site there are, bots' included, and when the last one was, Unix milliseconds.
    pub async fn received(&self, tenant: Tenant, site: &Site) -> Result<(i64, Option<i64>), ApiError> {
        let make = |sources: &Sources| plan::received(site.id, &sources.rows);
        let rows = self.rows(tenant, site, Revision::Newest, tail::EVER, make).await?;
        Ok((integer(&rows, 0).unwrap_or(0), integer(&rows, 1)))
    }

    /// What became of the events of a site, or of all; `site_name` is how the caller called it.
    pub async fn ledger(
        &self,
        tenant: Tenant,
        whose: Whose,
        site_name: Option<String>,
        period: Period,
        revision: Revision,
    ) -> Result<LedgerAnswer, ApiError> {
        let partitions: Vec<u32> = match &whose {
            Whose::Site(site) => vec![site.partition],
            Whose::Unknown => vec![ledger::UNKNOWN_SITES_PARTITION],
            Whose::All => self.partitions.keys().copied().collect(),
        };
        if matches!(revision, Revision::Number(_)) && partitions.len() > 1 {
            return Err(Refusal::RevisionOfAll.into());
        }
        let mut lost = 0;
        loop {
            let whose = (whose.clone(), site_name.clone());
            match self.ledger_once(tenant.clone(), whose, period, revision, &partitions).await {
                Err(ApiError::RegionLost) if lost < self.others.len() => lost += 1,
                outcome => return outcome,
            }
        }
    }

    async fn ledger_once(
        &self,
        tenant: Tenant,
        (whose, site_name): (Whose, Option<String>),
        period: Period,
        revision: Revision,
        partitions: &[u32],
    ) -> Result<LedgerAnswer, ApiError> {
        let (mut counted, mut missing, mut fetched) = (Vec::new(), BTreeSet::new(), Vec::new());
        for partition in partitions {
            let views = self.views(*partition, revision).await?;
            missing.extend(views.missing());
            for at in views.counted {
                let parts: Vec<Part> = ledger::parts(&at.view, period).cloned().collect();
                fetched.push(match &at.other {
                    None => self.fetch(*partition, revision, &parts).await?,
                    Some(other) => other.fetch(parts).await?,
                });
                counted.push((*partition, at));
            }
        }
        let partition = partitions.first().copied().unwrap_or(0);
        let question = ledger::Question { whose, site_name, period, counted, missing, shadow: revision.is_shadow() };
        let answer = self.run(&tenant, partition, revision, move |session| question.answer(session)).await?;
        drop(fetched);
        answer
    }

    /// Why queries cannot be answered yet.
    pub fn unready(&self) -> Option<String> {
        if self.stopping.is_cancelled() {
            return Some("the service is about to end".to_owned());
        }
        if let Some(reason) = self.directory.missing() {
            return Some(reason.to_owned());
        }
        self.partitions.iter().find_map(|(partition, view)| {
            let view = view.borrow();
            let reason = view.condition.alarm().unwrap_or("its live end is not folded to the end yet");
            (!view.is_ready).then(|| format!("partition {}.{partition} is not ready: {reason}", self.region))
        })
    }

    /// All partitions of all regions, the own first: name of the region, number, newest view.
    pub fn all_partitions(&self) -> impl Iterator<Item = (&str, u32, &watch::Receiver<Arc<PartitionView>>)> {
        let own = self.partitions.iter().map(|(partition, view)| (self.region.as_str(), *partition, view));
        let others = self
            .others
            .iter()
            .flat_map(|other| other.partitions.iter().map(|(partition, view)| (other.name.as_str(), *partition, view)));
        own.chain(others)
    }

    /// The newest view of a partition, ready or not.
    fn served(&self, partition: u32) -> Result<Arc<PartitionView>, ApiError> {
        self.partitions.get(&partition).map(|view| Arc::clone(&view.borrow())).ok_or(ApiError::Unavailable)
    }

    /// The views of a partition in all regions. Only the own region is waited for.
    pub(crate) async fn views(&self, partition: u32, revision: Revision) -> Result<Views, ApiError> {
        let own = self.revisions.view(partition, revision, self.served(partition)?).await?;
        Ok(Views::beside(self, own, partition, revision))
    }

    /// Brings parts to this machine and looks whether they are whole, before a turn of the engine is taken. They stay while the answer lives.
    pub(crate) async fn fetch(&self, partition: u32, revision: Revision, parts: &[Part]) -> Result<Vec<LocalFile>, ApiError> {
        match self.store.fetch_parts(parts.to_vec()).await.map_err(EngineError::from) {
            Ok(files) => Ok(files),
            Err(EngineError::Missing { .. }) if revision != Revision::Newest => {
                Err(self.revisions.gone(partition, revision, &*self.served(partition)?).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs work on the view of a revision. Files of one that is not the newest may be swept at any time.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        partition: u32,
        revision: Revision,
        work: impl FnOnce(&Session<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.engine.run_for(tenant, work).await {
            Err(EngineError::Missing { .. }) if revision != Revision::Newest => {
                Err(self.revisions.gone(partition, revision, &*self.served(partition)?).await)
            }
            Err(error @ EngineError::Busy { .. }) => {
                self.limits.refused.queue.fetch_add(1, Ordering::Relaxed);
                Err(error.into())
            }
            outcome => Ok(outcome?),
        }
    }
}

/// One query on one view of each region.
struct Question<'a> {
    site: &'a Site,
    site_name: &'a str,
    figures: Figures<'a>,
    revision: Revision,
    now_ms: i64,
}

impl Question<'_> {
    async fn answer(self, query: Query) -> Result<Answer, ApiError> {
        self.figures.check_patterns(&query).await?;
        let zone = zone(self.site);
        let first_event_ms = if query.date_range == DateRange::All { self.first_event_ms().await? } else { None };
        let range = query.range(zone, self.now_ms, first_event_ms);
        let calendar = Calendar::new(zone, range.start_ms, range.end_ms);
        let buckets = Buckets::new(&query, &calendar, range, zone, self.now_ms)?;
        let settled = self.figures.settled(range);
        let scope = Scope { query: &query, site_id: self.site.id, range: settled, calendar: &calendar, time_unit: buckets.unit };
        let reads = self.figures.reads(&scope).await;
        let rows = self.figures.rows(reads, |sources| plan::results(&scope, sources)).await?;
        let compared = self.compared(&scope, range, zone, &rows).await?;
        let context = Context { site: self.site_name, zone, range, calendar: &calendar, buckets: &buckets, compared };
        Ok(Answer::new(query, Arc::unwrap_or_clone(rows), context, self.meta(range)))
    }

    /// What the results of `range` are compared with; `None` = nothing.
    async fn compared(&self, scope: &Scope<'_>, range: Range, zone: Tz, results: &Rows) -> Result<Option<Compared>, ApiError> {
        let Some(range) = scope.query.compared_range(range, zone, self.now_ms) else { return Ok(None) };
        let calendar = Calendar::new(zone, range.start_ms, range.end_ms);
        let buckets = match scope.query.time_dimension() {
            None => Buckets { unit: scope.time_unit, labels: Vec::new() },
            Some(_) => Buckets::of(scope.time_unit, &calendar, range, zone, self.now_ms)?,
        };
        let labels = answer::labels(scope.query, results);
        let settled = self.figures.settled(range);
        let scope = Scope { range: settled, calendar: &calendar, ..*scope };
        let reads = self.figures.reads(&scope).await;
        let rows = self.figures.rows(reads, |sources| plan::compared(&scope, sources, &labels)).await?;
        Ok(Some(Compared { range, calendar, buckets, rows: Arc::unwrap_or_clone(rows) }))
    }

    /// How fresh and complete figures of a range are.
    fn meta(&self, range: Range) -> Meta {
        let views = self.figures.views();
        let by_region = || views.counted.iter().map(|at| (at.region.clone(), &at.view));
        // Files alone do not change any more.
        let is_open = self.revision == Revision::Newest;
        Meta {
            imports_included: false,
            metric_warnings: BTreeMap::new(),
            imports_skip_reason: None,
            time_labels: None,
            comparison_time_labels: None,
            total_rows: None,
            complete_through: by_region().map(|(region, view)| (region, rfc3339(view.watermark_ms))).collect(),
            watermark: rfc3339(views.watermark_ms()),
            revision: views.revision(),
            revisions: by_region().filter(|_| views.is_federated).map(|(region, view)| (region, view.revision())).collect(),
            shadow: self.revision.is_shadow(),
            regions: views.regions(),
            regions_missing: views.missing(),
            region_states: views.absences.clone(),
            open_hours: if is_open { freshness::open_hours(range, views.watermark_ms(), self.now_ms) } else { Vec::new() },
            identity_window: IDENTITY_WINDOW,
            identity_scope: views.is_federated.then_some(IDENTITY_SCOPE),
            exact: views.absences.is_empty(),
        }
    }

    async fn first_event_ms(&self) -> Result<Option<i64>, ApiError> {
        self.figures.integer(tail::EVER, |sources| plan::first_event(self.site.id, &sources.rows)).await
    }
}

/// A number of the first row; `None` = there is none.
fn integer(rows: &Rows, column: usize) -> Option<i64> {
    match rows.first().and_then(|row| row.get(column)) {
        Some(Cell::Integer(number)) => Some(*number),
        _ => None,
    }
}

/// The parts of a view that a query needs, attached for as long as this lives.
pub(crate) struct Attached {
    schemas: BTreeMap<String, Arc<AttachedPart>>,
}

impl Attached {
    /// Attaches parts, each by itself.
    pub(crate) fn of<'a>(
        session: &Session<'_>,
        store: &Store,
        parts: impl Iterator<Item = &'a Part>,
    ) -> Result<Self, EngineError> {
        let files = files(store, parts)?;
        let attached = session.engine.attach(&files)?;
        Ok(Self { schemas: files.into_iter().map(|(name, _)| name).zip(attached).collect() })
    }

    /// The schema of a part by its name.
    pub(crate) fn schema(&self, name: &str) -> Option<String> {
        self.schemas.get(name).map(|part| part.schema.clone())
    }
}

/// Parts as files that are whole. Blocks, if they have to be read through or fetched first.
pub(crate) fn files<'a>(store: &Store, parts: impl Iterator<Item = &'a Part>) -> Result<Vec<(String, LocalFile)>, EngineError> {
    parts.map(|part| Ok((part.name.clone(), store.fetch_part_blocking(part)?))).collect()
}

/// The site's zone; UTC where the record names one that this program does not know.
pub(crate) fn zone(site: &Site) -> Tz {
    site.timezone.parse().unwrap_or_else(|_| {
        tracing::warn!(site.id = site.id, timezone = site.timezone, "unknown time zone, using UTC");
        Tz::UTC
    })
}

/// Unix milliseconds as text.
pub fn rfc3339(ms: u64) -> String {
    let instant = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}
