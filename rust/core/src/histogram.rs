//! A histogram of durations: a table of counts in buckets of 64 to a power of two.
//!
//! The error of a percentile is below [`PRECISION`] of its value. The buckets of a power of two are
//! allocated with the first value between them, so that a histogram takes memory for the orders of
//! magnitude that occur: 256 bytes for each power of two, and half a kilobyte for itself.

/// The largest error of a percentile, as a part of its value.
pub const PRECISION: f64 = 1.0 / 64.0;

/// The number of buckets between two powers of two, and its logarithm.
const BUCKETS: usize = 64;
const BITS: u32 = 6;
/// How many groups of buckets there are: one for the values below 64, and one for each bit above.
const GROUPS: usize = (u64::BITS - BITS + 1) as usize;

/// Counts of values, from which percentiles are computed.
///
/// ```
/// use ferrogen_core::Histogram;
///
/// let mut histogram = Histogram::default();
/// for value in 1..=1000 {
///     histogram.record(value * 1000);
/// }
/// assert_eq!((histogram.count(), histogram.max()), (1000, 1_000_000));
/// assert!(histogram.percentile(50.0).abs_diff(500_000) < 500_000 / 64);
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    groups: [Option<Box<[u32; BUCKETS]>>; GROUPS],
    /// The buckets whose counts have wrapped, one entry for each time.
    wrapped: Vec<u16>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        const NONE: Option<Box<[u32; BUCKETS]>> = None;
        Self { groups: [NONE; GROUPS], wrapped: Vec::new(), count: 0, sum: 0, max: 0 }
    }
}

impl Histogram {
    /// Adds a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let (group, bucket) = place_of(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
        let Some(buckets) = &mut self.groups[group] else { return self.open(group, bucket) };
        let (count, has_wrapped) = buckets[bucket].overflowing_add(1);
        buckets[bucket] = count;
        if has_wrapped {
            self.wrap(group, bucket);
        }
    }

    #[cold]
    fn open(&mut self, group: usize, bucket: usize) {
        let mut buckets = Box::new([0; BUCKETS]);
        buckets[bucket] = 1;
        self.groups[group] = Some(buckets);
    }

    #[cold]
    fn wrap(&mut self, group: usize, bucket: usize) {
        self.wrapped
            .push(u16::try_from(group * BUCKETS + bucket).expect("fewer than 2^16 buckets"));
    }

    /// Adds zeros.
    pub fn record_zeros(&mut self, count: u64) {
        self.add(0, 0, count);
        self.count += count;
    }

    /// Adds all values of another one.
    pub fn merge(&mut self, other: &Self) {
        for (group, bucket, count) in other.buckets() {
            self.add(group, bucket, count);
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    fn add(&mut self, group: usize, bucket: usize, count: u64) {
        if count == 0 {
            return;
        }
        let buckets = self.groups[group].get_or_insert_with(|| Box::new([0; BUCKETS]));
        let total = u64::from(buckets[bucket]) + count;
        buckets[bucket] = u32::try_from(total & u64::from(u32::MAX)).expect("it is masked");
        for _ in 0..total >> u32::BITS {
            self.wrap(group, bucket);
        }
    }

    /// The buckets that have values, from the lowest: group, bucket, count.
    fn buckets(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let groups = self.groups.iter().enumerate();
        let groups = groups.filter_map(|(group, one)| one.as_ref().map(|one| (group, one)));
        groups.flat_map(move |(group, buckets)| {
            buckets.iter().enumerate().filter_map(move |(bucket, count)| {
                let place = group * BUCKETS + bucket;
                let wraps = self.wrapped.iter().filter(|one| usize::from(**one) == place).count();
                let count = u64::from(*count) + ((wraps as u64) << u32::BITS);
                (count > 0).then_some((group, bucket, count))
            })
        })
    }

    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The largest value; 0 if there is none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// A value that is not below `percent` of all values, and not above the others, within the
    /// precision; 0 if there are no values. The percentage is limited to 0 to 100.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the rank need not be more precise")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is limited")]
    pub fn percentile(&self, percent: f64) -> u64 {
        let part = percent.clamp(0.0, 100.0) / 100.0;
        // Of 10 values, the 50th percentile is the 5th one; 0.29 * 100 is above 29.
        let exact = part * self.count as f64;
        let rank = ((exact - exact * f64::EPSILON).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (group, bucket, count) in self.buckets() {
            seen += count;
            if seen == self.count {
                return self.max;
            }
            if seen >= rank {
                return middle_of(group, bucket);
            }
        }
        self.max
    }

    /// The number of bytes that it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let groups = self.groups.iter().flatten().count();
        size_of::<Self>() + groups * size_of::<[u32; BUCKETS]>() + self.wrapped.capacity() * 2
    }
}

#[inline]
fn place_of(value: u64) -> (usize, usize) {
    // Values below 64 have a bucket each, and the next power of two has buckets of the same width.
    let bits = u64::BITS - (value | (BUCKETS as u64 - 1)).leading_zeros();
    let group = (bits - BITS) as usize;
    let shift = group.saturating_sub(1);
    let bucket = (value >> shift) % BUCKETS as u64;
    (group, usize::try_from(bucket).expect("fewer than 64"))
}

fn middle_of(group: usize, bucket: usize) -> u64 {
    if group == 0 {
        return bucket as u64;
    }
    let shift = group - 1;
    let lowest = (BUCKETS as u64 + bucket as u64) << shift;
    lowest + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_more_values_than_a_bucket_holds() {
        let mut histogram = Histogram::default();
        histogram.record(5);
        histogram.groups[0].as_mut().expect("it was just used")[5] = u32::MAX;
        histogram.count = u64::from(u32::MAX);
        histogram.record(5);
        histogram.record(5);
        histogram.record(7);
        let mut merged = Histogram::default();
        merged.merge(&histogram);
        for one in [&histogram, &merged] {
            let buckets: Vec<_> = one.buckets().collect();
            assert_eq!(buckets, [(0, 5, (1 << 32) + 1), (0, 7, 1)]);
            assert_eq!((one.percentile(50.0), one.percentile(100.0)), (5, 7));
        }
    }

    #[test]
    fn buckets_adjoin() {
        let mut before = place_of(0);
        for value in 1..100_000 {
            let place = place_of(value);
            assert!(place >= before && middle_of(place.0, place.1).abs_diff(value) <= value / 64);
            before = place;
        }
        assert_eq!(place_of(u64::MAX), (GROUPS - 1, BUCKETS - 1));
    }
}
