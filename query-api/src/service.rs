//! Answering: from a validated query and a site to JSON, on one consistent view of the site's partition.

use crate::answer::{self, Answer, Compared, Context, IDENTITY_WINDOW, Meta};
use crate::buckets::Buckets;
use crate::clock::Clock;
use crate::control::Directory;
use crate::engine::{AttachedPart, Cell, Engine, EngineError, Rows, Session};
use crate::error::ApiError;
use crate::ledger::{self, LedgerAnswer, Period, Whose};
use crate::plan::{self, Scope, Source, Sources};
use crate::query::calendar::Calendar;
use crate::query::{DateRange, Query, Range, Refusal};
use crate::revision::{Revision, Revisions};
use crate::tail::{self, PartitionView};
use crate::telemetry::Telemetry;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
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
    /// The time.
    pub clock: Clock,
    /// Counts.
    pub telemetry: Telemetry,
}

impl Service {
    /// Answers a query of a site; `site_name` is how the caller called it.
    pub async fn query(&self, site: Site, site_name: String, query: Query, revision: Revision) -> Result<Bytes, ApiError> {
        let partition = site.partition;
        let view = self.view(partition, revision).await?;
        let (now_ms, region, store) = (self.clock.now_ms(), self.region.clone(), self.store.clone());
        let work = move |session: &Session<'_>| {
            let (now_ms, shadow) = (now_ms as i64, revision.is_shadow());
            let question = Question { site: &site, site_name: &site_name, view: &view, shadow, store: &store, region, now_ms };
            question.answer(session, query)
        };
        Ok(self.run(partition, revision, work).await??)
    }

    /// How many visitors had an event in the last five minutes.
    pub async fn current_visitors(&self, site: Site, revision: Revision) -> Result<i64, ApiError> {
        let partition = site.partition;
        let view = self.view(partition, revision).await?;
        let end_ms = self.clock.now_ms() as i64 + 1_000;
        let range = Range { start_ms: end_ms - 1_000 - CURRENT_MS, end_ms };
        let store = self.store.clone();
        let work = move |session: &Session<'_>| {
            let attached = Attached::new(session, &view, &store, site.id, range)?;
            let sources = attached.rows(&view, site.id, range);
            integer(session, &plan::current_visitors(site.id, range, &sources))
        };
        Ok(self.run(partition, revision, work).await?.unwrap_or(0))
    }

    /// What became of the events of a site, or of all; `site_name` is how the caller called it.
    pub async fn ledger(
        &self,
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
        self.run(partition, revision, move |session| question.answer(session)).await
    }

    /// Why queries cannot be answered yet.
    pub fn unready(&self) -> Option<String> {
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

    async fn view(&self, partition: u32, revision: Revision) -> Result<Arc<PartitionView>, ApiError> {
        self.revisions.view(partition, revision, self.served(partition)?).await
    }

    /// Runs work on the view of a revision. Files of one that is not the newest may be swept at any time.
    async fn run<T: Send + 'static>(
        &self,
        partition: u32,
        revision: Revision,
        work: impl FnOnce(&Session<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.engine.run(work).await {
            Err(EngineError::Missing { .. }) if revision != Revision::Newest => {
                Err(self.revisions.gone(partition, revision, &*self.served(partition)?).await)
            }
            outcome => Ok(outcome?),
        }
    }
}

/// One query on one view.
struct Question<'a> {
    site: &'a Site,
    site_name: &'a str,
    view: &'a PartitionView,
    shadow: bool,
    store: &'a Store,
    region: String,
    now_ms: i64,
}

impl Question<'_> {
    fn answer(self, session: &Session<'_>, query: Query) -> Result<Result<Bytes, Refusal>, EngineError> {
        if let Some(refusal) = invalid_pattern(session, &query) {
            return Ok(Err(refusal));
        }
        let zone = zone(self.site);
        let first_event_ms = if query.date_range == DateRange::All { self.first_event_ms(session)? } else { None };
        let range = query.range(zone, self.now_ms, first_event_ms);
        let calendar = Calendar::new(zone, range.start_ms, range.end_ms);
        let buckets = match Buckets::new(&query, &calendar, range, zone, self.now_ms) {
            Ok(buckets) => buckets,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let scope = Scope { query: &query, site_id: self.site.id, range, calendar: &calendar, time_unit: buckets.unit };
        let rows = self.rows(session, &scope, plan::results)?;
        let compared = match self.compared(session, &scope, zone, &rows)? {
            Ok(compared) => compared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let meta = Meta {
            imports_included: false,
            metric_warnings: BTreeMap::new(),
            imports_skip_reason: None,
            time_labels: None,
            comparison_time_labels: None,
            total_rows: None,
            watermark: rfc3339(self.view.watermark_ms),
            revision: self.view.revision(),
            shadow: self.shadow,
            regions: vec![self.region],
            identity_window: IDENTITY_WINDOW,
        };
        let context = Context { site: self.site_name, zone, range, calendar: &calendar, buckets: &buckets, compared };
        let answer = Answer::new(query, rows, context, meta);
        // Maps with other keys than text cannot be written; there are none.
        Ok(Ok(serde_json::to_vec(&answer).unwrap_or_default().into()))
    }

    /// What the results are compared with; `None` = nothing.
    fn compared(
        &self,
        session: &Session<'_>,
        scope: &Scope<'_>,
        zone: Tz,
        results: &Rows,
    ) -> Result<Result<Option<Compared>, Refusal>, EngineError> {
        let Some(range) = scope.query.compared_range(scope.range, zone, self.now_ms) else { return Ok(Ok(None)) };
        let calendar = Calendar::new(zone, range.start_ms, range.end_ms);
        let buckets = match scope.query.time_dimension() {
            None => Ok(Buckets { unit: scope.time_unit, labels: Vec::new() }),
            Some(_) => Buckets::of(scope.time_unit, &calendar, range, zone, self.now_ms),
        };
        let buckets = match buckets {
            Ok(buckets) => buckets,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let labels = answer::labels(scope.query, results);
        let scope = Scope { range, calendar: &calendar, ..*scope };
        let rows = self.rows(session, &scope, |scope, sources| plan::compared(scope, sources, &labels))?;
        Ok(Ok(Some(Compared { range, calendar, buckets, rows })))
    }

    /// Runs a statement on what it needs.
    fn rows(
        &self,
        session: &Session<'_>,
        scope: &Scope<'_>,
        statement: impl Fn(&Scope<'_>, &Sources) -> plan::Statement,
    ) -> Result<Rows, EngineError> {
        let attached = Attached::new(session, self.view, self.store, self.site.id, tail::fragment_range(scope.range))?;
        let sources = tail::sources(self.view, self.site.id, scope.range, |name| attached.schema(name));
        session.query(&statement(scope, &sources))
    }

    fn first_event_ms(&self, session: &Session<'_>) -> Result<Option<i64>, EngineError> {
        let attached = Attached::new(session, self.view, self.store, self.site.id, tail::EVER)?;
        integer(session, &plan::first_event(self.site.id, &attached.rows(self.view, self.site.id, tail::EVER)))
    }
}

/// The parts of a view that a query needs, attached for as long as this lives.
pub(crate) struct Attached {
    schemas: BTreeMap<String, Arc<AttachedPart>>,
}

impl Attached {
    fn new(session: &Session<'_>, view: &PartitionView, store: &Store, site_id: u32, range: Range) -> Result<Self, EngineError> {
        let files = files(store, view.parts(site_id, range))?;
        let listed = view.manifest.iter().flat_map(|manifest| &manifest.parts).map(|part| part.name.as_str()).collect();
        let attached = session.engine.attach_bundled(&listed, &files)?;
        Ok(Self { schemas: files.into_iter().map(|(name, _)| name).zip(attached).collect() })
    }

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

    fn rows(&self, view: &PartitionView, site_id: u32, range: Range) -> Vec<Source> {
        tail::sources(view, site_id, range, |name| self.schema(name)).rows
    }
}

/// A regular expression of the query that the engine cannot compile.
fn invalid_pattern(session: &Session<'_>, query: &Query) -> Option<Refusal> {
    let patterns = query.patterns();
    let fails = |patterns: &[&str]| plan::pattern_check(patterns).is_some_and(|check| !session.accepts(&check));
    if !fails(&patterns) {
        return None;
    }
    let pattern = patterns.into_iter().find(|pattern| fails(&[pattern]))?;
    Some(Refusal::Pattern { pattern: pattern.to_owned() })
}

/// Where parts are.
fn files<'a>(store: &Store, parts: impl Iterator<Item = &'a Part>) -> Result<Vec<(String, PathBuf)>, EngineError> {
    let file = |part: &'a Part| {
        let path = store.local_path(&part.name);
        let path = path.map_err(|error| EngineError::Name { name: part.name.clone(), cause: error.to_string() })?;
        Ok((part.name.clone(), path))
    };
    parts.map(file).collect()
}

fn integer(session: &Session<'_>, statement: &plan::Statement) -> Result<Option<i64>, EngineError> {
    let rows = session.query(statement)?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Cell::Integer(number)) => Some(*number),
        _ => None,
    })
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
