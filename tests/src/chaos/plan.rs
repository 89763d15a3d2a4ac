//! Which faults, when, and to whom: drawn from a seed, so that the same seed breaks the same things again.

use fastrand::Rng;
use serde::Serialize;
use std::fmt;
use strum::VariantArray as _;

/// Kinds of faults.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::VariantArray, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Kind {
    /// `kill -9`.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Freeze,
    /// Off the network, silently and in both directions.
    Cut,
    /// One machine is not heard by another one, which it still hears.
    Deaf,
    /// Everything that a machine sends arrives late.
    Delay,
    /// A machine's disk is full.
    DiskFull,
    /// A machine's clock is wrong, and right again later.
    Clock,
    /// A bit of a file in a node's cache changes.
    Flip,
    /// The bucket does not answer.
    BucketAway,
    /// Many clients that send their bodies byte by byte.
    SlowClients,
    /// Three times the load.
    Overload3,
    /// Ten times the load.
    Overload10,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// When it begins, milliseconds from the first possible moment on.
    pub at_ms: u64,
    /// How long it lasts, milliseconds; 0 for one that happens and is over.
    pub for_ms: u64,
    /// What it is.
    pub kind: Kind,
    /// The machine that it hits; empty for those that hit none.
    pub machine: String,
    /// Of `Deaf`: whom it does not hear. Of others empty.
    pub other: String,
    /// Of `Delay` and `Clock`: by how much, milliseconds.
    pub by_ms: i64,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind: &'static str = self.kind.into();
        write!(formatter, "{kind}")?;
        if !self.machine.is_empty() {
            write!(formatter, " {}", self.machine)?;
        }
        if !self.other.is_empty() {
            write!(formatter, " to {}", self.other)?;
        }
        if self.by_ms != 0 {
            write!(formatter, " by {} ms", self.by_ms)?;
        }
        if self.for_ms != 0 {
            write!(formatter, " for {:.1} s", self.for_ms as f64 / 1000.0)?;
        }
        Ok(())
    }
}

/// What a plan is drawn from.
#[derive(Clone, Debug)]
pub struct Draw<'a> {
    /// Seed.
    pub seed: u64,
    /// How many faults.
    pub count: u64,
    /// Time between the beginnings of two, milliseconds.
    pub every_ms: u64,
    /// Longest fault, milliseconds.
    pub longest_ms: u64,
    /// Kinds that are possible here.
    pub kinds: &'a [Kind],
    /// Names of the machines.
    pub machines: &'a [String],
}

impl Kind {
    /// All of them.
    pub fn all() -> &'static [Self] {
        Self::VARIANTS
    }

    /// Whether it can hit a machine of this name.
    fn can_hit(self, machine: &str) -> bool {
        match self {
            Self::SlowClients | Self::Overload3 | Self::Overload10 | Self::BucketAway => false,
            // Its Go runtime asks the kernel for the time, past whatever could lie.
            Self::Clock => !machine.starts_with("nats"),
            Self::Flip => machine.starts_with("query") || machine.starts_with("aggregator"),
            // Query nodes hear nobody who could do without them.
            Self::Deaf => !machine.starts_with("query"),
            _ => true,
        }
    }
}

/// Draws the faults in the order of their beginnings: every kind about as often as any other, machines at random.
pub fn draw(from: &Draw) -> Vec<Fault> {
    let mut random = Rng::with_seed(from.seed);
    let mut deck = Vec::new();
    (0..from.count)
        .filter_map(|number| {
            if deck.is_empty() {
                deck.extend_from_slice(from.kinds);
                random.shuffle(&mut deck);
            }
            let kind = deck.pop()?;
            let can_hit: Vec<&String> = from.machines.iter().filter(|machine| kind.can_hit(machine)).collect();
            let machine = random.choice(can_hit).cloned().unwrap_or_default();
            // Only a NATS server can be out of one machine's reach and in another one's.
            let servers = from.machines.iter().filter(|other| other.starts_with("nats") && **other != machine);
            let other = if kind == Kind::Deaf { random.choice(servers.collect::<Vec<_>>()).cloned() } else { None };
            let for_ms = match kind {
                Kind::Kill | Kind::Flip => 0,
                _ => random.u64(1_000..=from.longest_ms.max(1_000)),
            };
            let by_ms = match kind {
                Kind::Delay => random.i64(20..=400),
                Kind::Clock => clock_step(&mut random, &machine),
                _ => 0,
            };
            // The first tenth of its minute, so that there is time to recover before the next.
            let at_ms = number * from.every_ms + random.u64(0..=from.every_ms / 10);
            Some(Fault { at_ms, for_ms, kind, machine, other: other.unwrap_or_default(), by_ms })
        })
        .collect()
}

/// An edge's clock dates events: an hour wrong would be an hour of events at the wrong hour. The others' clocks must not matter.
fn clock_step(random: &mut Rng, machine: &str) -> i64 {
    let size = if machine.starts_with("edge") { random.i64(1_000..=40_000) } else { random.i64(1_000..=3_600_000) };
    if random.bool() { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines() -> Vec<String> {
        ["nats-a", "nats-b", "nats-c", "edge-0", "edge-1", "aggregator-0", "aggregator-1", "query-0", "query-1"]
            .map(str::to_owned)
            .into()
    }

    fn drawn(seed: u64, count: u64) -> Vec<Fault> {
        draw(&Draw { seed, count, every_ms: 60_000, longest_ms: 30_000, kinds: Kind::all(), machines: &machines() })
    }

    #[test]
    fn a_seed_draws_the_same_faults_again() {
        assert_eq!(drawn(7, 50), drawn(7, 50));
        assert_ne!(drawn(7, 50), drawn(8, 50));
        assert_eq!(drawn(7, 20), drawn(7, 50)[..20]);
    }

    #[test]
    fn every_kind_comes_and_hits_who_can_be_hit() {
        let count = Kind::all().len() as u64 * 10;
        for fault in drawn(3, count) {
            let hits_one = !matches!(fault.kind, Kind::SlowClients | Kind::Overload3 | Kind::Overload10 | Kind::BucketAway);
            assert_eq!(hits_one, !fault.machine.is_empty(), "{fault:?}");
            assert_eq!(fault.kind == Kind::Deaf, !fault.other.is_empty(), "{fault:?}");
            assert_ne!(fault.machine.as_str(), if fault.other.is_empty() { "-" } else { fault.other.as_str() });
            assert!(fault.for_ms <= 30_000 && fault.at_ms % 60_000 <= 6_000);
        }
        for kind in Kind::all() {
            assert_eq!(drawn(3, count).iter().filter(|fault| fault.kind == *kind).count(), 10, "{kind:?}");
        }
    }

    #[test]
    fn a_fault_reads_as_one_line() {
        let fault =
            Fault { at_ms: 1, for_ms: 1500, kind: Kind::Deaf, machine: "edge-0".into(), other: "nats-a".into(), by_ms: 0 };
        assert_eq!(fault.to_string(), "deaf edge-0 to nats-a for 1.5 s");
    }
}
