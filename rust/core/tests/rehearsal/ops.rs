//! What the driver of a rehearsal may do, and how often.

use std::num::NonZeroUsize;

use ferrogen_core::{Limits, Outcome, Overflow};
use proptest::prelude::*;

/// What the driver does. Numbers pick one of what there is, and nothing is done if there is none.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Accept,
    Take,
    Spread(usize, Vec<usize>),
    Step,
    Built(usize),
    BuildFailed(usize),
    Finish(usize, Outcome),
    Answer(usize),
    Release(usize),
    End(usize, Outcome),
    Enter(usize),
    BeginBuild(usize),
    Passivate(usize),
    Limit(usize, Limits),
    Drain,
    Mistake(usize),
}

/// Picks one of what there is by a number.
pub(super) fn pick<T: Clone>(from: &[T], number: usize) -> Option<T> {
    from.get(number % from.len().max(1)).cloned()
}

/// The type and the key of one of six agents.
pub(super) fn address(number: usize) -> (usize, String) {
    (number % 2, format!("key {}", number / 2 % 3))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![
        Outcome::Handled,
        Outcome::Answered,
        Outcome::Dropped,
        Outcome::Failed,
        Outcome::DeadLettered,
    ])
}

pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    let most = || (0..4_usize).prop_map(NonZeroUsize::new);
    let overflow = prop::sample::select(vec![Overflow::Reject, Overflow::DropOldest]);
    (most(), most(), overflow).prop_map(|(concurrency, capacity, overflow)| Limits {
        concurrency,
        capacity,
        overflow,
    })
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let number = || 0..100_usize;
    prop_oneof![
        6 => Just(Op::Accept),
        6 => Just(Op::Take),
        // Few agents, so that queues grow; the same one may be meant twice.
        8 => (number(), prop::collection::vec(0..6_usize, 0..6))
            .prop_map(|(number, recipients)| Op::Spread(number, recipients)),
        10 => Just(Op::Step),
        3 => number().prop_map(Op::Built),
        1 => number().prop_map(Op::BuildFailed),
        4 => (number(), outcome()).prop_map(|(number, outcome)| Op::Finish(number, outcome)),
        2 => number().prop_map(Op::Answer),
        1 => number().prop_map(Op::Release),
        3 => (number(), outcome()).prop_map(|(number, outcome)| Op::End(number, outcome)),
        1 => (0..6_usize).prop_map(Op::Enter),
        1 => (0..6_usize).prop_map(Op::BeginBuild),
        2 => (0..6_usize).prop_map(Op::Passivate),
        1 => Just(Op::Drain),
        2 => number().prop_map(Op::Mistake),
    ]
}

pub(crate) fn op_or_limit() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => op(),
        1 => (0..2_usize, limits()).prop_map(|(number, limits)| Op::Limit(number, limits)),
    ]
}
