//! Figures of one site in one view: from the cache, else from the engine when it is the tenant's turn.

use crate::engine::{AttachedPart, Cell, EngineError, Rows, Session, schema_of};
use crate::error::ApiError;
use crate::limits::{Limits, Tenant};
use crate::plan::{self, Source, Sources, Statement};
use crate::query::{Query, Range, Refusal};
use crate::revision::Revision;
use crate::service::{Attached, Service};
use crate::tail::{self, PartitionView};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;
use weir_event::site::Site;
use weir_rollup::manifest::Part;

/// Range ends that no event has reached are rounded up to this: then the answer of an hour ago still is one.
const END_STEP_MS: i64 = 3_600_000;

/// A site as one view shows it, to one tenant.
pub struct Figures<'a> {
    service: &'a Service,
    tenant: Tenant,
    site_id: u32,
    partition: u32,
    revision: Revision,
    view: Arc<PartitionView>,
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
        let view = service.view(site.partition, revision).await?;
        let listed = view.manifest.iter().flat_map(|manifest| &manifest.parts).map(|part| part.name.as_str()).collect();
        let bundled = service.engine.bundled(&listed);
        learn(service, &view, site.id, &bundled).await;
        let without = service.cache.presence.without(view.parts(site.id, tail::EVER), site.id);
        let without = without.into_iter().map(str::to_owned).collect();
        Ok(Self { service, tenant, site_id: site.id, partition: site.partition, revision, view, without, bundled })
    }

    /// The view.
    pub fn view(&self) -> &PartitionView {
        &self.view
    }

    /// A range with the same figures whose end stands still while time goes on: an end behind the site's last event may be any later one.
    pub fn settled(&self, range: Range) -> Range {
        if self.view.latest_ms(self.site_id).is_some_and(|latest_ms| latest_ms >= range.end_ms) {
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
    pub async fn rows(&self, range: Range, make: impl Fn(&Sources) -> Statement) -> Result<Arc<Rows>, ApiError> {
        let identity = make(&self.identity(range));
        let find = async {
            let statement = make(&self.sources(range));
            self.find(range, statement).await
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

    /// What a statement reads, by the places where it is now.
    fn sources(&self, range: Range) -> Sources {
        tail::sources(&self.view, self.site_id, range, |name| {
            if self.without.contains(name) {
                return None;
            }
            Some(self.bundled.get(name).map_or_else(|| schema_of(name), |bundle| bundle.schema.clone()))
        })
    }

    /// What a statement reads, by the names of its parts, wherever copies of them are.
    fn identity(&self, range: Range) -> Sources {
        let of = |range: Range| {
            let mut hash = Sha256::new();
            for part in self.parts(range) {
                hash.update(part.name.as_bytes());
                hash.update([0]);
            }
            // Writing to a string cannot fail.
            let schema = hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            });
            std::iter::once(Source::Part { schema }).chain(self.view.tail_sources_of(self.site_id)).collect()
        };
        Sources { rows: of(range), fragments: of(tail::fragment_range(range)) }
    }

    /// The parts that may have rows of the site in a range.
    fn parts(&self, range: Range) -> impl Iterator<Item = &Part> {
        self.view.parts(self.site_id, range).filter(|part| !self.without.contains(&part.name))
    }

    async fn find(&self, range: Range, statement: Statement) -> Result<Rows, ApiError> {
        let single = self.parts(tail::fragment_range(range)).filter(|part| !self.bundled.contains_key(&part.name));
        let single: Vec<Part> = single.cloned().collect();
        let (store, bundles) = (self.service.store.clone(), self.bundled.values().cloned().collect::<Vec<_>>());
        let work = move |session: &Session<'_>| -> Result<Rows, EngineError> {
            let _attached = Attached::of(session, &store, single.iter())?;
            let rows = session.query(&statement);
            drop(bundles);
            rows
        };
        self.run(work).await
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

/// Looks into those parts of a view that may have rows of a site and into which nobody has looked. One that cannot be read stays unknown: the query itself tells why.
async fn learn(service: &Service, view: &PartitionView, site_id: u32, bundled: &HashMap<String, Arc<AttachedPart>>) {
    let presence = &service.cache.presence;
    let unknown = || presence.unknown(view.parts(site_id, tail::EVER));
    if unknown().is_empty() {
        return;
    }
    let _learning = presence.learning.lock().await;
    let parts: Vec<(Part, bool)> = unknown().into_iter().map(|part| (part.clone(), bundled.contains_key(&part.name))).collect();
    let store = service.store.clone();
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
    let Ok(found) = service.engine.run(work).await else { return };
    for (name, rows) in found {
        let site = |row: &Vec<Cell>| if let Some(Cell::Integer(site)) = row.first() { u32::try_from(*site).ok() } else { None };
        presence.learn(&name, rows.iter().filter_map(site).collect());
    }
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
