//! The commands of a random driver.

use std::num::NonZeroUsize;
use std::time::Duration;

use ferrogen_core::{Outcome, Overflow, Policy, Time};
use proptest::prelude::*;

/// Numbers select one of the possible objects. A command without a possible object is skipped.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Accept,
    Hold,
    /// Says for which agent type a held message is.
    Address(usize, usize),
    Take,
    Pause,
    Resume,
    Settle(usize, Outcome),
    Start(usize, usize),
    StartDelivery(usize, usize, usize),
    Place(usize, usize, usize),
    /// Holds a message and places it: the most frequent sequence.
    Call(usize, usize),
    /// The same for a sender that waits for room.
    Publish(usize, usize),
    Withdraw(usize),
    Step,
    Begun(usize),
    Respond(usize),
    Release(usize),
    Finish(usize, Outcome),
    Abandon(usize),
    Reject(usize),
    Drain,
    TakeResponse,
    Configure(usize, Policy),
    Enter(usize),
    BeginBuild(usize),
    TakeBuild(usize),
    Built(usize),
    Passivated(usize),
    StayAwake(usize, Option<Time>),
    BuildFailed(usize),
    Wait(Time),
    Advance,
    Rest(usize),
    Wrong(usize),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![
        Outcome::Handled,
        Outcome::Responded,
        Outcome::Dropped,
        Outcome::Cancelled,
        Outcome::Failed,
        Outcome::Expired,
        Outcome::DeadLettered,
    ])
}

fn millis(most: u64) -> impl Strategy<Value = Option<Time>> {
    prop::option::of((0..most).prop_map(Duration::from_millis))
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let most = || (0..4_usize).prop_map(NonZeroUsize::new);
    let overflow = prop::sample::select(vec![
        Overflow::Reject,
        Overflow::DropNewest,
        Overflow::DropOldest,
        Overflow::Wait,
        Overflow::Wait,
    ]);
    (most(), any::<bool>(), most(), overflow, millis(20), most()).prop_map(
        |(concurrency, reentrant, capacity, overflow, passivate_after, max_active)| Policy {
            concurrency,
            reentrant,
            capacity,
            overflow,
            passivate_after,
            max_active,
        },
    )
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    use Command as C;
    let n = || 0..1000_usize;
    let wait = (0..15_u64).prop_map(|millis| C::Wait(Duration::from_millis(millis)));
    prop_oneof![
        4 => Just(C::Accept),
        2 => Just(C::Hold),
        2 => (n(), 0..2_usize).prop_map(|(one, of)| C::Address(one, of)),
        6 => Just(C::Take),
        1 => Just(C::Pause),
        2 => Just(C::Resume),
        4 => (n(), outcome()).prop_map(|(one, how)| C::Settle(one, how)),
        2 => (n(), n()).prop_map(|(one, two)| C::Start(one, two)),
        2 => (n(), n(), n()).prop_map(|(one, two, three)| C::StartDelivery(one, two, three)),
        8 => (n(), n(), n()).prop_map(|(one, two, three)| C::Place(one, two, three)),
        8 => (n(), n()).prop_map(|(one, two)| C::Call(one, two)),
        6 => (n(), n()).prop_map(|(one, two)| C::Publish(one, two)),
        1 => n().prop_map(C::Withdraw),
        10 => Just(C::Step),
        4 => n().prop_map(C::Begun),
        2 => n().prop_map(C::Respond),
        2 => n().prop_map(C::Release),
        6 => (n(), outcome()).prop_map(|(one, how)| C::Finish(one, how)),
        1 => n().prop_map(C::Abandon),
        1 => n().prop_map(C::Reject),
        1 => Just(C::Drain),
        1 => Just(C::TakeResponse),
        2 => n().prop_map(C::Enter),
        1 => n().prop_map(C::BeginBuild),
        1 => n().prop_map(C::TakeBuild),
        3 => n().prop_map(C::Built),
        2 => n().prop_map(C::Passivated),
        1 => (n(), millis(20)).prop_map(|(one, after)| C::StayAwake(one, after)),
        1 => n().prop_map(C::BuildFailed),
        3 => wait,
        3 => Just(C::Advance),
        1 => n().prop_map(C::Rest),
        3 => n().prop_map(C::Wrong),
    ]
}

pub(crate) fn command_or_policy() -> impl Strategy<Value = Command> {
    prop_oneof![
        15 => command(),
        1 => (0..2_usize, policy()).prop_map(|(one, policy)| Command::Configure(one, policy)),
    ]
}

/// Mostly calls from running handlers, so that handlers wait for each other.
pub(crate) fn call() -> impl Strategy<Value = Command> {
    use Command as C;
    let n = || 0..1000_usize;
    let limit = (0..3_usize).prop_map(NonZeroUsize::new);
    let policy =
        (limit, (0..3_usize).prop_map(NonZeroUsize::new)).prop_map(|(concurrency, capacity)| {
            Policy { concurrency, capacity, overflow: Overflow::Wait, ..Policy::default() }
        });
    prop_oneof![
        1 => (0..2_usize, policy).prop_map(|(one, policy)| C::Configure(one, policy)),
        12 => (n(), n()).prop_map(|(one, two)| C::Call(one, two)),
        6 => (n(), n()).prop_map(|(one, two)| C::Publish(one, two)),
        4 => (n(), n()).prop_map(|(one, two)| C::Start(one, two)),
        10 => Just(C::Step),
        4 => n().prop_map(C::Begun),
        1 => (n(), outcome()).prop_map(|(one, how)| C::Finish(one, how)),
        1 => n().prop_map(C::Release),
        1 => n().prop_map(C::Abandon),
        1 => n().prop_map(C::Enter),
        1 => n().prop_map(C::Built),
    ]
}
