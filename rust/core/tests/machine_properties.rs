//! The step machine against the naive model, under a driver that does anything in any order.
//!
//! After every operation the two must agree; what that means is in `rehearsal/checks.rs`.

mod naive;
mod rehearsal;

use ferrogen_core::Limits;
use proptest::prelude::*;
use rehearsal::{Op, Rehearsal, limits, op, op_or_limit};

fn rehearse(limits: [Limits; 2], ops: &[Op]) {
    let mut rehearsal = Rehearsal::new(limits);
    for op in ops {
        rehearsal.perform(op);
        rehearsal.check();
    }
    rehearsal.wind_down();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_machine_agrees_with_the_naive_model_and_keeps_to_its_limits(
        writer in limits(),
        critic in limits(),
        ops in prop::collection::vec(op(), 0..150),
    ) {
        rehearse([writer, critic], &ops);
    }

    #[test]
    fn the_machine_agrees_with_the_naive_model_while_limits_change(
        writer in limits(),
        ops in prop::collection::vec(op_or_limit(), 0..150),
    ) {
        rehearse([writer, Limits::default()], &ops);
    }
}
