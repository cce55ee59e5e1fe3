//! The one source of chance in generated traffic: a seeded ChaCha8 stream.
//!
//! Invariant: no other randomness is used anywhere below `gen`.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of chance, named by seed and stream number.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// True in `percent` of all throws.
    pub(super) fn percent(&mut self, percent: f64) -> bool {
        self.unit() * 100.0 < percent
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// An index below `len`, which is not 0.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.0.random_range(0..len)
    }

    pub(super) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.index(choices.len())]
    }

    /// An index chosen in proportion to its weight.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.0.random_range(0..weights.iter().sum::<u32>());
        weights
            .iter()
            .position(|&weight| {
                let hit = left < weight;
                left = left.saturating_sub(weight);
                hit
            })
            .unwrap_or(0)
    }

    /// A duration with a long tail (exponential), never shorter than `least_ms` nor longer than ten times its mean.
    pub(super) fn long_tail_ms(&mut self, least_ms: i64, mean_ms: i64) -> i64 {
        let tail = -(1.0 - self.unit()).ln() * mean_ms as f64;
        least_ms + (tail as i64).min(mean_ms * 10)
    }

    /// A rank below `len`, the first ones far more often (Zipf with exponent 1, by its continuous inverse).
    pub(super) fn zipf(&mut self, len: usize) -> usize {
        let rank = ((len + 1) as f64).powf(self.unit()) - 1.0;
        (rank as usize).min(len - 1)
    }

    /// A random UUID (version 4).
    pub(super) fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.0.random()).into_uuid().to_string()
    }

    fn unit(&mut self) -> f64 {
        self.0.random()
    }
}
