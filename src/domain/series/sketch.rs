//! Quantiles of what was observed, within a known relative error.
//!
//! A bin is the first bits of a float: its exponent and five bits of its fraction, so that each power of two is divided into
//! 32 bins, and finding the bin is a shift. The middle of a bin is within 1/64 (1.6 %) of whatever is in it. When
//! more than 128 bins are in use, neighbours are merged, and the error doubles: values within a factor of 16 keep 1.6 %, within
//! 256 they keep 3.2 %. So a series has at most 1.3 kB, whatever is observed. No logarithm is involved: the same values give
//! the same sketch on every machine, and sketches are saved exactly.
//!
//! The crates of `DDSketch` were looked at: the same idea with logarithms, and bins for the whole range between the smallest and
//! the greatest value in memory.

use serde::{Deserialize, Serialize};

const MAX_BINS: usize = 128;
/// Bits of a float behind those that make the finest bin.
const FINEST: u32 = 47;
/// With this there is one bin left.
const COARSEST: u8 = 16;

/// How often values were seen, by bin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SavedSketch", into = "SavedSketch")]
pub(super) struct Sketch {
    /// By how many bits bins are coarser than the finest.
    shift: u8,
    /// Ascending.
    bins: Vec<u16>,
    /// As many as bins.
    counts: Vec<u64>,
}

/// A sketch at rest.
#[derive(Serialize, Deserialize)]
struct SavedSketch {
    shift: u8,
    bins: Vec<(u16, u64)>,
}

impl Sketch {
    /// Adds a value that is finite and not negative.
    pub(super) fn add(&mut self, value: f64) {
        loop {
            let bin = self.bin(value);
            match self.bins.binary_search(&bin) {
                Ok(place) => {
                    self.counts[place] = self.counts[place].saturating_add(1);
                    return;
                }
                Err(place) if self.bins.len() < MAX_BINS => {
                    self.bins.insert(place, bin);
                    self.counts.insert(place, 1);
                    return;
                }
                Err(_) => self.coarsen(),
            }
        }
    }

    /// About the value that `rank` others come before.
    pub(super) fn at(&self, rank: u64) -> f64 {
        let mut seen = 0_u64;
        let holds = |count: &u64| {
            seen = seen.saturating_add(*count);
            seen > rank
        };
        let place = self.counts.iter().position(holds).unwrap_or(self.bins.len().saturating_sub(1));
        self.bins.get(place).map_or(0.0, |bin| self.middle(*bin))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the sign is 0, so that 16 bits are left")]
    fn bin(&self, value: f64) -> u16 {
        (value.to_bits() >> (FINEST + u32::from(self.shift))) as u16
    }

    fn middle(&self, bin: u16) -> f64 {
        let shift = FINEST + u32::from(self.shift);
        let low = f64::from_bits(u64::from(bin) << shift);
        if low <= 0.0 {
            return 0.0;
        }
        // The last bin of all ends with infinity.
        let high = f64::from_bits((u64::from(bin) + 1) << shift).min(f64::MAX);
        low + (high - low) / 2.0
    }

    fn coarsen(&mut self) {
        self.shift = (self.shift + 1).min(COARSEST);
        let mut kept = 0;
        for place in 0..self.bins.len() {
            let (bin, count) = (self.bins[place] >> 1, self.counts[place]);
            if kept > 0 && self.bins[kept - 1] == bin {
                self.counts[kept - 1] = self.counts[kept - 1].saturating_add(count);
            } else {
                (self.bins[kept], self.counts[kept]) = (bin, count);
                kept += 1;
            }
        }
        self.bins.truncate(kept);
        self.counts.truncate(kept);
    }
}

impl From<Sketch> for SavedSketch {
    fn from(sketch: Sketch) -> Self {
        Self { shift: sketch.shift, bins: sketch.bins.into_iter().zip(sketch.counts).collect() }
    }
}

impl From<SavedSketch> for Sketch {
    fn from(mut saved: SavedSketch) -> Self {
        saved.bins.sort_unstable();
        saved.bins.dedup_by_key(|(bin, _)| *bin);
        let (bins, counts) = saved.bins.into_iter().unzip();
        Self { shift: saved.shift.min(COARSEST), bins, counts }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add(*value);
        }
        sketch
    }

    /// Each value is found within the error, at its rank.
    fn is_within(values: &mut [f64], error: f64) -> bool {
        let sketch = sketch(values);
        values.sort_by(f64::total_cmp);
        (0..).zip(values.iter()).all(|(rank, value)| (sketch.at(rank) - value).abs() <= value * error)
    }

    proptest! {
        #[test]
        fn values_within_a_factor_of_16_keep_the_finest_error(
            scale in -100..100_i32,
            mut values in prop::collection::vec(1.0..15.9, 1..400),
        ) {
            for value in &mut values {
                *value *= 10_f64.powi(scale);
            }
            prop_assert!(is_within(&mut values, 1.0 / 64.0));
        }

        #[test]
        fn a_wider_range_costs_precision(mut values in prop::collection::vec(1.0..250.0, 1..2000)) {
            prop_assert!(is_within(&mut values, 1.0 / 32.0));
        }

        #[test]
        fn no_values_are_too_strange(
            bits in prop::collection::vec(any::<u64>(), 1..2000),
            rank in any::<u64>(),
        ) {
            let values: Vec<f64> =
                bits.into_iter().map(|bits| f64::from_bits(bits).abs()).filter(|v| v.is_finite()).collect();
            let sketch = sketch(&values);
            prop_assert!(sketch.bins.len() <= MAX_BINS && sketch.bins.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(sketch.counts.iter().sum::<u64>(), values.len() as u64);
            prop_assert!(sketch.at(rank) >= 0.0 && sketch.at(rank).is_finite());
            let json = serde_json::to_string(&sketch).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sketch>(&json).unwrap(), sketch);
        }
    }

    #[test]
    fn zero_is_zero() {
        let sketch = sketch(&[0.0, 0.0, 1e-320, f64::MAX]);
        assert_eq!((sketch.at(0).to_bits(), sketch.at(1).to_bits()), (0, 0));
        assert!(sketch.at(3) > 1e308 && Sketch::default().at(3) < 1.0);
    }
}
