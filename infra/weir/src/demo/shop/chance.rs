//! Chance that can be repeated: the same seed gives the same shop.

/// A generator of numbers (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// One that gives what every other of this seed gives.
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to 1, 1 excluded.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from `from` to `to`, `to` excluded.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % to.saturating_sub(from).max(1)
    }

    /// Yes, so often of once.
    pub(super) fn happens(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A span of time around `median`, now and then much longer, as people's are.
    pub(super) fn span_ms(&mut self, median: u64) -> u64 {
        let stretched = (self.unit() + self.unit() + self.unit() - 1.5).exp();
        (median as f64 * stretched) as u64
    }

    /// One of these, by their weights; the first where there is none.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [(u32, T)]) -> Option<&'a T> {
        let all: u64 = choices.iter().map(|(weight, _)| u64::from(*weight)).sum();
        let mut left = self.between(0, all);
        for (weight, choice) in choices {
            let weight = u64::from(*weight);
            if left < weight {
                return Some(choice);
            }
            left -= weight;
        }
        choices.first().map(|(_, choice)| choice)
    }

    /// How many of something that is expected so often, spread as chance spreads it.
    pub(super) fn count(&mut self, expected: f64) -> u64 {
        let (limit, mut product, mut count) = ((-expected.min(500.0)).exp(), self.unit(), 0);
        while product > limit && count < 2_000 {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_even() {
        let (mut one, mut other) = (Chance::seeded(7), Chance::seeded(7));
        assert!((0..100).all(|_| one.unit().to_bits() == other.unit().to_bits()));
        let choices = [(1, "rare"), (3, "often"), (0, "never")];
        let picked: Vec<&str> = (0..4_000).filter_map(|_| one.pick(&choices).copied()).collect();
        let rare = picked.iter().filter(|choice| **choice == "rare").count();
        assert!((850..1_150).contains(&rare) && !picked.contains(&"never"), "{rare}");
        let sum: u64 = (0..1_000).map(|_| one.count(9.0)).sum();
        assert!((8_500..9_500).contains(&sum), "{sum}");
        assert_eq!(one.count(0.0), 0);
        assert!((0..1_000).all(|_| (6..140).contains(&one.span_ms(30))));
    }
}
