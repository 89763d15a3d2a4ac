//! One seed: who acts when.

use crate::aggregator::Aggregator;
use crate::check::{Reference, check};
use crate::commit::{SERVED, Stop};
use crate::durable::{Crashes, Durable};
use crate::sender::Senders;
use crate::{operator, sweeper};
use std::fmt;
use std::sync::{Arc, LazyLock};
use weir_rollup::manifest::{COMMIT_ORDER, LogicFrom, Manifest, Step};
use weir_rollup::rules::{RuleData, Rules};

/// Messages younger than this stay in the stream.
const STREAM_KEPT_MS: u64 = 6 * 3_600_000;

/// The order of a flush's steps.
#[derive(Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) flush: [Step; 5],
}

impl Orders {
    pub(crate) fn right() -> Self {
        Self { flush: COMMIT_ORDER }
    }
}

/// A seed for which a promise is broken.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {}: {}", self.seed, self.what)
    }
}

/// Two sets of rules that differ in one source, and their logic versions.
pub(crate) struct Rulebook {
    pub(crate) own: LogicFrom,
    pub(crate) own_rules: Arc<Rules>,
    pub(crate) other: LogicFrom,
    other_rules: Arc<Rules>,
}

static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(|| {
    let own_rules = Rules::built_in().unwrap();
    let mut data = RuleData::built_in();
    let sources =
        format!("{}\n[[source]]\nname = \"Reference\"\ncategory = \"OTHER\"\ndomains = [\"ref.example\"]\n", data.sources);
    data.set("sources.toml", sources).unwrap();
    let other_rules = Arc::new(Rules::new(data).unwrap());
    Rulebook {
        own: LogicFrom::new(1, own_rules.logic()),
        own_rules,
        other: LogicFrom { pinned: true, ..LogicFrom::new(1, other_rules.logic()) },
        other_rules,
    }
});

impl Rulebook {
    pub(crate) fn rules(&self, logic: &str) -> Arc<Rules> {
        Arc::clone(if logic == self.other.logic { &self.other_rules } else { &self.own_rules })
    }

    /// What live ingestion goes on with: what an operator pinned, else the program's own.
    pub(crate) fn live(&self, manifest: &Manifest) -> (LogicFrom, Arc<Rules>) {
        let pinned = manifest.logic.last().filter(|last| last.pinned);
        let logic = pinned.unwrap_or(&self.own).clone();
        let rules = self.rules(&logic.logic);
        (logic, rules)
    }

    /// The source of every visit by this logic.
    pub(crate) fn source(&self, logic: &str) -> &'static str {
        if logic == self.other.logic { "Reference" } else { "ref.example" }
    }
}

/// Runs a seed.
pub(crate) fn run(seed: u64, orders: Orders, is_telling: bool) -> Result<Crashes, Failure> {
    let mut durable = Durable::new(seed, is_telling);
    act(&mut durable, orders).map_err(|what| Failure { seed, what })?;
    Ok(durable.crashes)
}

fn act(durable: &mut Durable, orders: Orders) -> Result<(), String> {
    let rulebook = &*RULEBOOK;
    let (mut senders, mut reference) = (Senders::default(), Reference::new());
    let mut aggregators = [Aggregator { name: "A", alive: None }, Aggregator { name: "B", alive: None }];
    let second = if durable.rng.bool() { 20 } else { 0 };
    let mut checked = 0;
    for _ in 0..durable.rng.u32(40..300) {
        match durable.rng.u32(..100) {
            0..22 => reference.take(rulebook, &senders.act(durable)),
            22..72 => {
                let index = usize::from(durable.rng.u32(..40) < second);
                aggregators[index].act(durable, rulebook, orders)?;
            }
            72..88 => settle(operator::act(durable, rulebook))?,
            88..94 => settle(sweeper::act(durable))?,
            94..98 => purge(durable),
            _ => durable.now_ms += durable.rng.u64(..30) * 3_600_000,
        }
        // Also without a commit: a sweep could have taken something.
        let kv = durable.head(SERVED).map_or(0, |entry| entry.kv);
        if kv != checked {
            checked = kv;
            check(durable, rulebook, &senders, &reference)?;
        }
    }
    check(durable, rulebook, &senders, &reference)
}

/// Whoever crashed or lost a race is called again some time.
fn settle(outcome: Result<(), Stop>) -> Result<(), String> {
    match outcome {
        Err(Stop::Wrong(what)) => Err(what),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Takes from the stream what is sealed, archived and old.
fn purge(durable: &mut Durable) {
    let Some(manifest) = durable.head(SERVED).and_then(|entry| durable.manifest(&entry.head.manifest)) else { return };
    let last_seq = manifest.sealed_seq.min(manifest.archived_seq);
    let old = durable.log.iter().filter(|message| message.seq <= last_seq && message.stream_ms + STREAM_KEPT_MS < durable.now_ms);
    durable.first_seq = old.map(|message| message.seq + 1).max().unwrap_or(1).max(durable.first_seq);
}
