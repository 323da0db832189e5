//! Histograms, beside a sorted list of all values.

use ferrogen_core::Histogram;
use ferrogen_core::histogram::PRECISION;
use proptest::prelude::*;

/// Values of all orders of magnitude.
fn value() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

fn histogram(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for value in values {
        histogram.record(*value);
    }
    histogram
}

proptest! {
    #[test]
    #[expect(clippy::cast_precision_loss, reason = "compared within the precision")]
    fn percentiles_are_those_of_a_sorted_list(
        mut values in prop::collection::vec(value(), 1..300),
        others in prop::collection::vec(value(), 0..100),
        zeros in 0..50_u64,
        percent in 0..=1000_u32,
    ) {
        let mut histogram = histogram(&values);
        histogram.merge(&self::histogram(&others));
        histogram.record_zeros(zeros);
        values.extend(others);
        values.extend((0..zeros).map(|_| 0));
        values.sort_unstable();
        prop_assert_eq!(histogram.count(), values.len() as u64);
        prop_assert_eq!(histogram.max(), *values.last().expect("not empty"));
        prop_assert_eq!(histogram.percentile(100.0), histogram.max());
        // Per mille, in whole numbers: the rank is exact.
        let rank = (values.len() * percent as usize).div_ceil(1000).max(1);
        let expected = values[rank - 1] as f64;
        let found = histogram.percentile(f64::from(percent) / 10.0) as f64;
        prop_assert!((found - expected).abs() <= expected * PRECISION, "{found} {expected}");
    }

    #[test]
    fn take_memory_for_the_orders_of_magnitude(values in prop::collection::vec(1000..64_000_u64, 1..500)) {
        prop_assert!(histogram(&values).size() < 2400);
    }
}

#[test]
fn are_empty_at_first() {
    let histogram = Histogram::default();
    assert_eq!((histogram.count(), histogram.sum(), histogram.max()), (0, 0, 0));
    assert_eq!([0.0, 50.0, 100.0].map(|percent| histogram.percentile(percent)), [0; 3]);
}

#[test]
fn limit_percentages() {
    let histogram = histogram(&[1, 2, 3]);
    assert_eq!([-5.0, 0.0, 500.0].map(|percent| histogram.percentile(percent)), [1, 1, 3]);
}
