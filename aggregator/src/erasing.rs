//! Erasing beside the fold: archive and parts are written anew without what erasures cover, then kept states, one step and one commit at a time.

use crate::Shared;
use crate::commits::Commits;
use crate::compact;
use crate::duck::Interrupt;
use crate::erase::{self, Rewritten};
use crate::erase_archive;
use crate::flush::{duck_limits, part_name};
use crate::merging::MergeError;
use crate::session;
use crate::status::now_ms;
use crate::sweep;
use crate::write::Label;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use weir_reader::control::retention;
use weir_reader::{ReaderError, archive, states, stream};
use weir_rollup::logic;
use weir_rollup::manifest::{AWAITS_SWEEP, Erasure, Manifest, ObjectRef, Part, covered_sql};

/// Length of a day, milliseconds.
const DAY_MS: u64 = 86_400_000;
/// The store's clock may be so far from ours, milliseconds.
const CLOCKS_APART_MS: u64 = 60_000;
/// Pause before retentions that could not be looked up are asked for again.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(15);
/// Pause between two looks at what is still kept somewhere.
const FINISH_EVERY: Duration = Duration::from_mins(10);

/// Does what the erasures of a partition ask for.
pub(crate) struct Eraser {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: u32,
    pub(crate) commits: Arc<Commits>,
    pub(crate) interrupt: Arc<Interrupt>,
    looked: Mutex<Looked>,
    times: Mutex<Times>,
}

/// When was looked last.
#[derive(Default)]
struct Times {
    finished: Option<Instant>,
    /// The day for which retentions were looked up.
    retained_day: Option<u64>,
    /// When they were asked for last.
    asked: Option<Instant>,
}

/// Objects that have nothing of these erasures.
#[derive(Default)]
struct Looked {
    ids: Vec<(String, u64)>,
    clean: HashSet<String>,
}

impl Looked {
    /// What was found out about exactly these erasures.
    fn of(&mut self, erasures: &[Erasure]) -> &mut HashSet<String> {
        // A retention goes on under its name.
        let ids: Vec<(String, u64)> = erasures.iter().map(|erasure| (erasure.id.clone(), erasure.seq)).collect();
        if self.ids != ids {
            *self = Self { ids, clean: HashSet::new() };
        }
        &mut self.clean
    }
}

fn ids(erasures: &[Erasure]) -> Vec<String> {
    erasures.iter().map(|erasure| erasure.id.clone()).collect()
}

impl Eraser {
    pub(crate) fn new(shared: Arc<Shared>, partition: u32, commits: Arc<Commits>, interrupt: Arc<Interrupt>) -> Self {
        Self { shared, partition, commits, interrupt, looked: Mutex::default(), times: Mutex::default() }
    }

    /// Does the next step and commits it; the manifest then, `None` = there is nothing to erase.
    pub(crate) async fn next(&self) -> Result<Option<Manifest>, MergeError> {
        let manifest = self.commits.manifest().await;
        let is_open = |erasure: &&Erasure| !(erasure.parts_done && erasure.history_done);
        let open: Vec<Erasure> = manifest.erasures.iter().filter(is_open).cloned().collect();
        if open.is_empty() {
            return match self.retain().await? {
                Some(manifest) => Ok(Some(manifest)),
                None => self.finish(&manifest).await,
            };
        }
        // What became of raw events is looked up in the rows, as long as there are any.
        if let Some(done) = self.erase_archive(&manifest, &open).await? {
            return Ok(Some(done));
        }
        if manifest.open_erasures().next().is_some() {
            return self.erase_parts(&manifest, &open).await;
        }
        self.erase_states(&manifest, &open).await
    }

    /// Raw batches, an object at a time; `None` = they have nothing of it.
    async fn erase_archive(&self, manifest: &Manifest, open: &[Erasure]) -> Result<Option<Manifest>, MergeError> {
        let mut looked = self.looked.lock().await;
        let clean = looked.of(open);
        for object in &manifest.archive {
            let concerned: Vec<Erasure> = open.iter().filter(|erasure| manifest.may_be_in(erasure, object)).cloned().collect();
            if concerned.is_empty() || clean.contains(&object.name) {
                continue;
            }
            let began = Instant::now();
            let bytes = archive::load(&self.shared.store, object).await?;
            let overlaps = |part: &&Part| part.rows > 0 && part.min_seq <= object.last_seq && part.max_seq >= object.first_seq;
            let inputs = compact::inputs(&self.shared.store, manifest.parts.iter().filter(overlaps)).await?;
            let (shared, of) = (Arc::clone(&self.shared), object.clone());
            let rewritten = tokio::task::spawn_blocking(move || {
                let reach = (of.first_seq, of.last_seq);
                let rows = erase_archive::rows(&duck_limits(&shared), &inputs, reach, &concerned)?;
                Ok::<_, MergeError>(erase_archive::rewrite(&of, &bytes, &rows, &concerned)?)
            });
            let Some(encoded) = rewritten.await?? else {
                clean.insert(object.name.clone());
                continue;
            };
            let began_ms = now_ms();
            let output = archive::put(&self.shared.store, &self.shared.config.region, self.partition, encoded).await?;
            let (replaced, name) = (vec![object.name.clone()], output.name.clone());
            let committed =
                self.commits.commit(began_ms, move |manifest| manifest.exchange_archive(&replaced, vec![output])).await?;
            clean.insert(name);
            let duration_ms = began.elapsed().as_millis() as u64;
            tracing::info!(partition = self.partition, duration_ms, "events were erased from the archive");
            return Ok(self.or_again(committed, manifest).await);
        }
        Ok(None)
    }

    /// Once a day: what is older than sites keep their events is to be forgotten. `None` = there is nothing new to forget.
    async fn retain(&self) -> Result<Option<Manifest>, MergeError> {
        let mut times = self.times.lock().await;
        let now_ms = now_ms();
        let day = now_ms / DAY_MS;
        let is_late = times.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN_AFTER);
        if times.retained_day == Some(day) || !is_late {
            return Ok(None);
        }
        times.asked = Some(Instant::now());
        let retention = match retention::of_partition(&self.shared.jetstream, self.partition).await {
            Ok(retention) => retention,
            // Sites are set up later.
            Err(ReaderError::StreamMissing { .. }) => return Ok(None),
            Err(error) => {
                tracing::warn!(partition = self.partition, %error, "how long events are kept cannot be looked up");
                return Ok(None);
            }
        };
        times.retained_day = Some(day);
        let cutoffs = retention.cutoffs(now_ms);
        if cutoffs.is_empty() {
            return Ok(None);
        }
        let wanted = move |manifest: &mut Manifest| {
            let seq = manifest.sealed_seq + 1;
            let asked = cutoffs.iter().map(|(site_id, before_ms)| Erasure::retention(*site_id, *before_ms, now_ms));
            let asked: Vec<Erasure> = asked.map(|erasure| Erasure { seq, ..erasure }).collect();
            let mut is_changed = false;
            for erasure in asked {
                if manifest.parts.iter().any(|part| erasure.may_cover(part)) {
                    is_changed |= manifest.retain_from(erasure);
                }
            }
            is_changed
        };
        let committed = self.commits.commit(now_ms, wanted).await?;
        if committed.is_some() {
            tracing::info!(partition = self.partition, "events that are too old are to be forgotten");
        }
        Ok(committed)
    }

    /// Now and then: looks whether what was erased is kept anywhere still.
    async fn finish(&self, manifest: &Manifest) -> Result<Option<Manifest>, MergeError> {
        let mut times = self.times.lock().await;
        if manifest.erasures.is_empty() || times.finished.is_some_and(|finished| finished.elapsed() < FINISH_EVERY) {
            return Ok(None);
        }
        times.finished = Some(Instant::now());
        let waiting = manifest.erasures.iter().filter(|erasure| erasure.final_ms.is_none());
        let mut ids = Vec::new();
        if waiting.clone().any(|erasure| erasure.done_ms.is_some()) {
            let first_seq = stream::state(&self.shared.jetstream, &self.shared.config.region, self.partition).await?.first_seq;
            let left_ms = sweep::oldest_left(&self.shared, self.partition, manifest).await?;
            let is_swept = |erasure: &&Erasure| {
                let done_ms = erasure.done_ms.unwrap_or(u64::MAX).saturating_add(CLOCKS_APART_MS);
                manifest.awaited(erasure, first_seq) == [AWAITS_SWEEP] && left_ms.is_none_or(|left_ms| left_ms > done_ms)
            };
            ids.extend(waiting.filter(is_swept).map(|erasure| erasure.id.clone()));
        }
        let began_ms = now_ms();
        Ok(self.commits.commit(began_ms, move |manifest| manifest.erasures_final(&ids, began_ms)).await?)
    }

    async fn erase_parts(&self, manifest: &Manifest, open: &[Erasure]) -> Result<Option<Manifest>, MergeError> {
        let mut looked = self.looked.lock().await;
        let clean = looked.of(open);
        for part in manifest.parts.iter().filter(|part| open.iter().any(|erasure| erasure.may_cover(part))) {
            if clean.contains(&part.name) {
                continue;
            }
            let (began, began_ms) = (Instant::now(), now_ms());
            let Some(done) = self.rewrite(manifest, open, part).await? else {
                clean.insert(part.name.clone());
                continue;
            };
            let Rewritten { part: output, erased, span } = done;
            let (replaced, name) = (vec![part.name.clone()], output.name.clone());
            // When the manifest moved on so that it no longer fits, the next look tells what does.
            let committed =
                self.commits.commit(began_ms, move |manifest| manifest.erase_rows(&replaced, [output], erased, span)).await?;
            let duration_ms = began.elapsed().as_millis() as u64;
            tracing::info!(partition = self.partition, erased, duration_ms, "rows were erased from a part");
            clean.insert(name);
            return Ok(self.or_again(committed, manifest).await);
        }
        let began_ms = now_ms();
        let (ids, looked_into) = (ids(open), clean.clone());
        let done = self.commits.commit(began_ms, move |manifest| manifest.parts_erased(&ids, &looked_into)).await?;
        Ok(self.or_again(done, manifest).await)
    }

    async fn rewrite(&self, manifest: &Manifest, open: &[Erasure], part: &Part) -> Result<Option<Rewritten>, MergeError> {
        let condition = covered_sql(open.iter().filter(|erasure| erasure.may_cover(part)));
        let input = compact::inputs(&self.shared.store, std::iter::once(part)).await?;
        let region = self.shared.config.region.clone();
        let label = Label {
            name: part_name(&region, self.partition),
            region,
            partition: self.partition,
            level: part.level,
            logic: logic::at(&manifest.logic, part.max_seq).map(|from| from.logic.clone()).unwrap_or_default(),
            written_ms: now_ms(),
            fallback_ms: part.min_event_ms,
        };
        let apart: Vec<u64> = manifest.checkpoints.iter().map(|checkpoint| checkpoint.seq).collect();
        let apart: Vec<u64> = apart.into_iter().filter(|seq| (part.min_seq..part.max_seq).contains(seq)).collect();
        let (shared, interrupt) = (Arc::clone(&self.shared), Arc::clone(&self.interrupt));
        let (file, name) = (self.shared.work.file(), label.name.clone());
        let done = {
            let file = file.clone();
            tokio::task::spawn_blocking(move || {
                let Some(input) = input.first() else { return Ok(None) };
                erase::rewrite(&duck_limits(&shared), &interrupt, input, &condition, &apart, (&label, &file))
            })
            .await??
        };
        if done.is_some() {
            self.shared.store.put_file(&file, &name).await?;
        }
        Ok(done)
    }

    /// Kept states.
    async fn erase_states(&self, manifest: &Manifest, open: &[Erasure]) -> Result<Option<Manifest>, MergeError> {
        let mut looked = self.looked.lock().await;
        let clean = looked.of(open);
        let began_ms = now_ms();
        let mut concerned: HashMap<String, (ObjectRef, Vec<&Erasure>)> = HashMap::new();
        for erasure in open {
            for state in manifest.states_before(erasure).into_iter().filter(|state| !clean.contains(&state.name)) {
                concerned.entry(state.name.clone()).or_insert_with(|| (state, Vec::new())).1.push(erasure);
            }
        }
        let mut made: HashMap<String, ObjectRef> = HashMap::new();
        for (name, (object, erasures)) in concerned {
            match self.erase_state(&object, &erasures).await? {
                Some(other) => {
                    clean.insert(other.name.clone());
                    made.insert(name, other);
                }
                None => drop(clean.insert(name)),
            }
        }
        if !made.is_empty() {
            let states = made.len();
            let committed = self.commits.commit(began_ms, move |manifest| manifest.exchange_states(&made)).await?;
            tracing::info!(partition = self.partition, states, "visits were erased from kept states");
            return Ok(self.or_again(committed, manifest).await);
        }
        let (ids, clean) = (ids(open), clean.clone());
        let done = self.commits.commit(began_ms, move |manifest| manifest.history_erased(&ids, &clean, now_ms())).await?;
        Ok(self.or_again(done, manifest).await)
    }

    /// What is to be looked through when a commit did not fit because the manifest moved on; `None` = it did not.
    async fn or_again(&self, done: Option<Manifest>, before: &Manifest) -> Option<Manifest> {
        match done {
            Some(manifest) => Some(manifest),
            None => Some(self.commits.manifest().await).filter(|now| now.revision != before.revision),
        }
    }

    /// A state without the visits of the erasures; `None` = it has none of them.
    async fn erase_state(&self, object: &ObjectRef, erasures: &[&Erasure]) -> Result<Option<ObjectRef>, MergeError> {
        let encoded = states::load_object(&self.shared.store, object).await?;
        let mut state = session::decode_state(encoded).await.map_err(|cause| ReaderError::malformed(&object.name, cause))?;
        let found = erasures.iter().filter(|erasure| state.erase(erasure)).count();
        if found == 0 {
            return Ok(None);
        }
        let seq = states::seq_of(&object.name).unwrap_or(0);
        let id = uuid::Uuid::new_v4().simple().to_string();
        let name = states::name(&self.shared.config.region, self.partition, seq, &id);
        let encoded = tokio::task::spawn_blocking(move || state.encode()).await?;
        Ok(Some(states::put(&self.shared.store, &name, encoded).await?))
    }
}
