//! Answering: from a validated query and a site to JSON, on one consistent view of the site's partition.

use crate::answer::{self, Answer, Compared, Context, Encoded, IDENTITY_WINDOW, Meta};
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
use crate::plan::{self, Scope};
use crate::query::calendar::Calendar;
use crate::query::{DateRange, Query, Range, Refusal};
use crate::revision::{Revision, Revisions};
use crate::tail::{self, PartitionView};
use crate::telemetry::Telemetry;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_event::site::Site;
use weir_reader::store::Store;
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
        let figures = Figures::new(self, tenant, site, revision).await?;
        let now_ms = self.clock.now_ms() as i64;
        Question { site, site_name, figures, revision, region: &self.region, now_ms }.answer(query).await
    }

    /// How many visitors had an event in the last five minutes.
    pub async fn current_visitors(&self, tenant: Tenant, site: Site, revision: Revision) -> Result<i64, ApiError> {
        let figures = Figures::new(self, tenant, &site, revision).await?;
        let end_ms = self.clock.now_ms() as i64 + 1_000;
        let range = Range { start_ms: end_ms - 1_000 - CURRENT_MS, end_ms };
        Ok(figures.integer(range, |sources| plan::current_visitors(site.id, range, &sources.rows)).await?.unwrap_or(0))
    }

    /// How many events of a site there are, bots' included, and when the last one was, Unix milliseconds.
    pub async fn received(&self, tenant: Tenant, site: &Site) -> Result<(i64, Option<i64>), ApiError> {
        let figures = Figures::new(self, tenant, site, Revision::Newest).await?;
        let rows = figures.rows(tail::EVER, |sources| plan::received(site.id, &sources.rows)).await?;
        let cell = |index: usize| match rows.first().and_then(|row| row.get(index)) {
            Some(Cell::Integer(number)) => Some(*number),
            _ => None,
        };
        Ok((cell(0).unwrap_or(0), cell(1)))
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
        let mut views = Vec::with_capacity(partitions.len());
        for partition in partitions {
            views.push((partition, self.view(partition, revision).await?));
        }
        let partition = views.first().map_or(0, |(partition, _)| *partition);
        let (store, region) = (self.store.clone(), self.region.clone());
        let question = ledger::Question { whose, site_name, period, views, shadow: revision.is_shadow(), store, region };
        self.run(&tenant, partition, revision, move |session| question.answer(session)).await
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

    /// The newest view of a partition, ready or not.
    fn served(&self, partition: u32) -> Result<Arc<PartitionView>, ApiError> {
        self.partitions.get(&partition).map(|view| Arc::clone(&view.borrow())).ok_or(ApiError::Unavailable)
    }

    pub(crate) async fn view(&self, partition: u32, revision: Revision) -> Result<Arc<PartitionView>, ApiError> {
        self.revisions.view(partition, revision, self.served(partition)?).await
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

/// One query on one view.
struct Question<'a> {
    site: &'a Site,
    site_name: &'a str,
    figures: Figures<'a>,
    revision: Revision,
    region: &'a str,
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
        let rows = self.figures.rows(settled, |sources| plan::results(&scope, sources)).await?;
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
        let rows = self.figures.rows(settled, |sources| plan::compared(&scope, sources, &labels)).await?;
        Ok(Some(Compared { range, calendar, buckets, rows: Arc::unwrap_or_clone(rows) }))
    }

    /// How fresh and complete figures of a range are.
    fn meta(&self, range: Range) -> Meta {
        let view = self.figures.view();
        let watermark = rfc3339(view.watermark_ms);
        // Files alone do not change any more.
        let is_open = self.revision == Revision::Newest;
        Meta {
            imports_included: false,
            metric_warnings: BTreeMap::new(),
            imports_skip_reason: None,
            time_labels: None,
            comparison_time_labels: None,
            total_rows: None,
            complete_through: BTreeMap::from([(self.region.to_owned(), watermark.clone())]),
            watermark,
            revision: view.revision(),
            shadow: self.revision.is_shadow(),
            regions: vec![self.region.to_owned()],
            regions_missing: Vec::new(),
            open_hours: if is_open { freshness::open_hours(range, view.watermark_ms, self.now_ms) } else { Vec::new() },
            identity_window: IDENTITY_WINDOW,
            exact: true,
        }
    }

    async fn first_event_ms(&self) -> Result<Option<i64>, ApiError> {
        self.figures.integer(tail::EVER, |sources| plan::first_event(self.site.id, &sources.rows)).await
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

/// Where parts are.
pub(crate) fn files<'a>(store: &Store, parts: impl Iterator<Item = &'a Part>) -> Result<Vec<(String, PathBuf)>, EngineError> {
    let file = |part: &'a Part| {
        let path = store.local_path(&part.name);
        let path = path.map_err(|error| EngineError::Name { name: part.name.clone(), cause: error.to_string() })?;
        Ok((part.name.clone(), path))
    };
    parts.map(file).collect()
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
