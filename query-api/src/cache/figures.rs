//! Figures of one site in one view: from the cache, else from the engine when it is the tenant's turn.

use super::coverage;
use crate::engine::{AttachedPart, Cell, EngineError, Rows, Session, schema_of};
use crate::error::ApiError;
use crate::limits::{Limits, Tenant};
use crate::plan::{self, Asked, Cover, Piece, Scope, Source, Sources, Statement};
use crate::query::{Query, Range, Refusal};
use crate::regions::{RegionView, Views};
use crate::revision::Revision;
use crate::service::{Attached, Service};
use crate::tail::{self, Reads};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;
use weir_event::site::Site;
use weir_rollup::manifest::{Part, Rollup, covered_sql};

/// Range ends that no event has reached are rounded up to this: then the answer of an hour ago still is one.
const END_STEP_MS: i64 = 3_600_000;

/// A site as one view of each region shows it, to one tenant.
pub struct Figures<'a> {
    service: &'a Service,
    tenant: Tenant,
    site_id: u32,
    partition: u32,
    revision: Revision,
    views: Views,
    /// Parts without a row of the site.
    without: HashSet<String>,
    /// Parts that are read in bundles, and in which.
    bundled: HashMap<String, Arc<AttachedPart>>,
}

impl<'a> Figures<'a> {
    /// Takes the view of a revision.
    ///
    /// # Errors
    /// When there is no such revision, or the partition is not ready.
    pub async fn new(service: &'a Service, tenant: Tenant, site: &Site, revision: Revision) -> Result<Self, ApiError> {
        let views = service.views(site.partition, revision).await?;
        let manifests = views.counted.iter().flat_map(|at| &at.view.manifest);
        let listed = manifests.flat_map(|manifest| &manifest.parts).map(|part| part.name.as_str()).collect();
        let bundled = service.engine.bundled(&listed);
        let mut without = HashSet::new();
        for at in &views.counted {
            learn(service, at, site.id, &bundled).await?;
            let found = service.cache.presence.without(at.view.parts(site.id, tail::EVER), site.id);
            without.extend(found.into_iter().map(str::to_owned));
        }
        Ok(Self { service, tenant, site_id: site.id, partition: site.partition, revision, views, without, bundled })
    }

    /// The views.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// A range with the same figures whose end stands still while time goes on: an end behind the site's last event may be any later one.
    pub fn settled(&self, range: Range) -> Range {
        if self.latest_ms().is_some_and(|latest_ms| latest_ms >= range.end_ms) {
            return range;
        }
        let steps = range.end_ms.div_euclid(END_STEP_MS) + i64::from(range.end_ms.rem_euclid(END_STEP_MS) > 0);
        Range { start_ms: range.start_ms, end_ms: steps * END_STEP_MS }
    }

    /// The rows of the statement that `make` writes over the sources of a range; fragments of visits reach further than it. It is called twice: what it writes over
    /// names is what its rows are found by, so everything that they depend on has to be in the statement.
    ///
    /// # Errors
    /// When the tenant has used up its time, there is no turn, or the engine fails.
    pub async fn rows(&self, reads: impl Into<Reads>, make: impl Fn(&Sources) -> Statement) -> Result<Arc<Rows>, ApiError> {
        let reads = reads.into();
        let identity = make(&self.identity(&reads));
        let find = async {
            let statement = make(&self.sources(&reads));
            self.find(&reads, statement).await
        };
        self.service.cache.rows(&identity, find).await
    }

    /// The one number of a statement, as [`Figures::rows`]; `None` = there is none.
    ///
    /// # Errors
    /// As there.
    pub async fn integer(&self, range: Range, make: impl Fn(&Sources) -> Statement) -> Result<Option<i64>, ApiError> {
        let rows = self.rows(range, make).await?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Cell::Integer(number)) => Some(*number),
            _ => None,
        })
    }

    /// Refuses a query with a regular expression that the engine cannot compile.
    ///
    /// # Errors
    /// The refusal, or as [`Figures::rows`].
    pub async fn check_patterns(&self, query: &Query) -> Result<(), ApiError> {
        let patterns = query.patterns();
        let Some(check) = plan::pattern_check(&patterns) else { return Ok(()) };
        let key = check.clone();
        let patterns: Vec<String> = patterns.into_iter().map(str::to_owned).collect();
        let find = async {
            let work = move |session: &Session<'_>| {
                let fails = |pattern: &str| plan::pattern_check(&[pattern]).is_some_and(|check| !session.accepts(&check));
                Ok(if session.accepts(&check) { None } else { patterns.into_iter().find(|pattern| fails(pattern)) })
            };
            match self.run(work).await? {
                None => Ok(Rows::new()),
                Some(pattern) => Err(ApiError::from(Refusal::Pattern { pattern })),
            }
        };
        self.service.cache.rows(&key, find).await.map(drop)
    }

    /// No event of the site is later than this in any region, Unix milliseconds. `None` = it has none.
    fn latest_ms(&self) -> Option<i64> {
        self.views.counted.iter().filter_map(|at| at.view.latest_ms(self.site_id)).max()
    }

    /// What a statement reads, by the places where it is now.
    fn sources(&self, reads: &Reads) -> Sources {
        let mut all = Sources { cover: reads.cover.clone(), ..Sources::default() };
        for at in &self.views.counted {
            let sources = tail::sources(&at.view, self.site_id, reads, |name| {
                if self.without.contains(name) {
                    return None;
                }
                Some(self.bundled.get(name).map_or_else(|| schema_of(name), |bundle| bundle.schema.clone()))
            });
            all.rows.extend(sources.rows);
            all.fragments.extend(sources.fragments);
        }
        all
    }

    /// What a statement reads, by the names of its parts, wherever copies of them are.
    fn identity(&self, reads: &Reads) -> Sources {
        let of = |ranges: &[Range]| -> Vec<Source> {
            if ranges.is_empty() {
                return Vec::new();
            }
            self.views.counted.iter().flat_map(|at| self.identity_in(at, ranges)).collect()
        };
        Sources { rows: of(&reads.rows), fragments: of(&reads.fragments), cover: reads.cover.clone() }
    }

    fn identity_in(&self, at: &RegionView, ranges: &[Range]) -> Vec<Source> {
        let mut hash = Sha256::new();
        for part in self.parts(at, ranges) {
            hash.update(part.name.as_bytes());
            hash.update([0]);
        }
        // Writing to a string cannot fail.
        let schema = hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        });
        let parts = Source::Part { schema };
        let hidden = at.view.hidden(self.site_id);
        let hides = self.parts(at, ranges).any(|part| hidden.iter().any(|erasure| erasure.may_cover(part)));
        let parts = if hides { parts.hiding(&covered_sql(hidden)) } else { parts };
        std::iter::once(parts).chain(at.view.tail_sources_of(self.site_id)).collect()
    }

    /// The parts of a region that may have rows of the site in some ranges.
    fn parts<'b>(&'b self, at: &'b RegionView, ranges: &'b [Range]) -> impl Iterator<Item = &'b Part> {
        at.view.parts_in(self.site_id, ranges).filter(|part| !self.without.contains(&part.name))
    }

    async fn find(&self, reads: &Reads, statement: Statement) -> Result<Rows, ApiError> {
        let ranges = [reads.rows.as_slice(), &reads.fragments].concat();
        let mut singles = Vec::new();
        for at in &self.views.counted {
            let single = self.parts(at, &ranges).filter(|part| !self.bundled.contains_key(&part.name));
            let single: Vec<Part> = single.cloned().collect();
            let fetched = match &at.other {
                None => self.service.fetch(self.partition, self.revision, &single).await?,
                Some(other) => other.fetch(single.clone()).await?,
            };
            singles.push((at.clone(), single, fetched));
        }
        let bundles = self.bundled.values().cloned().collect::<Vec<_>>();
        let ahead = reads.rollups.clone();
        let work = move |session: &Session<'_>| -> Result<Result<Rows, ApiError>, EngineError> {
            let mut attached = Vec::with_capacity(singles.len());
            for (at, single, _) in &singles {
                match (Attached::of(session, &at.store, single.iter()), &at.other) {
                    (Ok(parts), _) => attached.push(parts),
                    (Err(error), Some(other)) => return Ok(Err(other.leave_out(&error.to_string()))),
                    (Err(error), None) => return Err(error),
                }
            }
            let _ahead = session.engine.attach(&ahead)?;
            let rows = session.query(&statement);
            drop((attached, bundles, singles));
            rows.map(Ok)
        };
        self.run(work).await?
    }

    /// What the statement of a scope reads: rollups too, where they answer the same.
    pub async fn reads(&self, scope: &Scope<'_>) -> Reads {
        self.cover(scope).await.unwrap_or_else(|| scope.range.into())
    }

    async fn cover(&self, scope: &Scope<'_>) -> Option<Reads> {
        let asked = Asked::of(scope.query, scope.time_unit)?;
        let latest_ms = self.latest_ms()?;
        let with_rows: Vec<&RegionView> = self.views.counted.iter().filter(|at| self.has_rows(at)).collect();
        let mut regions = Vec::with_capacity(with_rows.len());
        for at in &with_rows {
            regions.push(self.stretches(at, asked, scope.range).await);
        }
        let cover = plan::cover(scope, asked, &regions, latest_ms)?;
        let mut rollups = Vec::new();
        for at in with_rows {
            rollups.extend(coverage::fetch(at, &rollups_of(at, &cover)).await?);
        }
        let is_series = scope.query.time_dimension().is_some();
        Some(Reads { rows: cover.rows(is_series), fragments: cover.fragments(is_series), rollups, cover: Some(cover) })
    }

    /// Whether a region may have rows of the site.
    fn has_rows(&self, at: &RegionView) -> bool {
        self.parts(at, &[tail::EVER]).next().is_some() || at.view.earliest_live_ms(self.site_id).is_some()
    }

    /// The days for which rollups that meet the range have what is asked for.
    async fn stretches(&self, at: &RegionView, asked: Asked, range: Range) -> Vec<Piece> {
        let Some(manifest) = &at.view.manifest else { return Vec::new() };
        // They may still count what is to be forgotten.
        if !at.view.hidden(self.site_id).is_empty() {
            return Vec::new();
        }
        let live_ms = at.view.earliest_live_ms(self.site_id).unwrap_or(i64::MAX);
        let holds = |rollup: &&Rollup| {
            rollup.end_ms > range.start_ms && rollup.start_ms < range.end_ms && !rollup.depends_on(live_ms, i64::MAX)
        };
        let rollups: Vec<Rollup> = manifest.rollups.iter().filter(holds).cloned().collect();
        coverage::learn(self.service, at, &rollups).await;
        let coverage = &self.service.cache.coverage;
        rollups.iter().flat_map(|rollup| coverage.stretches(rollup, self.site_id, asked)).collect()
    }

    /// Runs work at the tenant's expense.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.service.limits.afford(&self.tenant)?;
        let (limits, tenant) = (Arc::clone(&self.service.limits), self.tenant.clone());
        let charged = move |session: &Session<'_>| {
            let _charge = Charge { limits, tenant, began: Instant::now() };
            work(session)
        };
        self.service.run(&self.tenant, self.partition, self.revision, charged).await
    }
}

/// The rollups whose figures are read.
fn rollups_of(at: &RegionView, cover: &Cover) -> Vec<Rollup> {
    let pieces: HashSet<&str> = cover.pieces.iter().map(|piece| piece.schema.as_str()).collect();
    let rollups = at.view.manifest.iter().flat_map(|manifest| &manifest.rollups);
    rollups.filter(|rollup| pieces.contains(schema_of(&rollup.name).as_str())).cloned().collect()
}

/// Looks into those parts of a view that may have rows of a site and into which nobody has looked. One that cannot be read stays unknown: the query itself tells why.
///
/// # Errors
/// When another region's files cannot be read.
async fn learn(
    service: &Service,
    at: &RegionView,
    site_id: u32,
    bundled: &HashMap<String, Arc<AttachedPart>>,
) -> Result<(), ApiError> {
    let presence = &service.cache.presence;
    let unknown = || presence.unknown(at.view.parts(site_id, tail::EVER));
    if unknown().is_empty() {
        return Ok(());
    }
    let wanted = || unknown().into_iter().cloned().collect();
    // Nobody else waits for another region.
    let of_other = match &at.other {
        None => None,
        Some(other) => Some(other.fetch(wanted()).await?),
    };
    let _learning = presence.learning.lock().await;
    let parts: Vec<(Part, bool)> = unknown().into_iter().map(|part| (part.clone(), bundled.contains_key(&part.name))).collect();
    // Before a turn of the engine is taken; what cannot be fetched fails below.
    let fetched = (at.store.fetch_parts(parts.iter().map(|(part, _)| part.clone()).collect()).await, of_other);
    let store = at.store.clone();
    let work = move |session: &Session<'_>| -> Result<Vec<(String, Rows)>, EngineError> {
        let look = |(part, is_bundled): &(Part, bool)| {
            let attached = Attached::of(session, &store, std::iter::once(part))?;
            let sites = session.query(&plan::sites(&schema_of(&part.name)))?;
            drop(attached);
            // It will not be read by itself again.
            if *is_bundled {
                session.engine.release(&part.name);
            }
            Ok((part.name.clone(), sites))
        };
        parts.iter().map(look).collect()
    };
    let Ok(found) = service.engine.run(work).await else { return Ok(()) };
    drop(fetched);
    for (name, rows) in found {
        let site = |row: &Vec<Cell>| if let Some(Cell::Integer(site)) = row.first() { u32::try_from(*site).ok() } else { None };
        presence.learn(&name, rows.iter().filter_map(site).collect());
    }
    Ok(())
}

/// Charges engine time when the work ends, however it does.
struct Charge {
    limits: Arc<Limits>,
    tenant: Tenant,
    began: Instant,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.limits.charge(&self.tenant, self.began.elapsed());
    }
}
