//! The step machine against the naive model.

use std::num::NonZeroUsize;

use ferrogen_core::Policy;
use proptest::prelude::*;

use super::commands::{Command, call, command, command_or_policy, policy};
use super::config;
use super::harness::Harness;

fn run(policies: [Policy; 2], commands: &[Command]) -> Harness {
    let mut harness = Harness::new(policies);
    for command in commands {
        harness.perform(command);
        harness.check();
    }
    harness.check_passivation();
    harness.wind_down();
    harness
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn agrees_with_the_model_while_policies_are_constant(
        writer in policy(),
        critic in policy(),
        commands in prop::collection::vec(command(), 0..120),
    ) {
        run([writer, critic], &commands);
    }

    #[test]
    fn agrees_with_the_model_while_policies_change(
        writer in policy(),
        commands in prop::collection::vec(command_or_policy(), 0..120),
    ) {
        run([writer, Policy::default()], &commands);
    }

    #[test]
    fn detects_the_deadlocks_that_elimination_finds(
        writer in 1..3_usize,
        critic in 1..3_usize,
        commands in prop::collection::vec(call(), 0..120),
    ) {
        let policy = |most| Policy { concurrency: NonZeroUsize::new(most), ..Policy::default() };
        run([policy(writer), policy(critic)], &commands);
    }
}
