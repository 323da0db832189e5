//! The maximum number of agents of one type that are awake.

use std::num::NonZeroUsize;
use std::time::Duration;

use ferrogen_core::{AgentSlot, Machine, Outcome, Policy, Step, Time};

use super::{send, started, writer};

fn most(max_active: usize) -> Policy {
    Policy { max_active: NonZeroUsize::new(max_active), ..Policy::default() }
}

fn at(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

/// A machine in which these agents have been built and are idle.
fn with_idle<const N: usize>(policy: Policy) -> (Machine<&'static str>, [AgentSlot; N]) {
    let mut machine = Machine::default();
    machine.configure(writer(), policy);
    let agents = std::array::from_fn(|number| build(&mut machine, &number.to_string()));
    (machine, agents)
}

fn build(machine: &mut Machine<&'static str>, key: &str) -> AgentSlot {
    let agent = machine.begin_build(writer(), key).expect("a new agent");
    if machine.built(agent).expect("it is being built") {
        machine.rest(agent, at(0));
    }
    agent
}

fn use_agent(machine: &mut Machine<&'static str>, agent: AgentSlot) {
    let delivery = machine.start(agent, None).expect("it is ready");
    assert!(machine.finish(delivery, Outcome::Handled).expect("a running delivery").rests);
    machine.rest(agent, at(0));
}

#[test]
fn passivates_the_least_recently_used_idle_agent() {
    let (mut machine, [first, second]) = with_idle(most(2));
    use_agent(&mut machine, first);
    assert!(!machine.is_due());
    build(&mut machine, "third");
    assert_eq!(machine.step(), Some(Step::Passivate(second)));
    build(&mut machine, "fourth");
    assert_eq!(machine.step(), Some(Step::Passivate(first)));
    assert_eq!(machine.step(), None);
}

#[test]
fn never_passivates_busy_agents() {
    let (mut machine, [first, second]) = with_idle(most(1));
    assert_eq!(machine.step(), Some(Step::Passivate(first)));
    let delivery = send(&mut machine, second, "hello");
    let third = machine.begin_build(writer(), "third").unwrap();
    assert_eq!(started(&mut machine), ["hello"]);
    machine.built(third).unwrap();
    let other = machine.start(third, None).unwrap();
    assert!(!machine.is_due(), "two are busy, and one may be awake");
    assert!(machine.finish(delivery, Outcome::Handled).unwrap().rests);
    machine.rest(second, at(0));
    assert_eq!(machine.step(), Some(Step::Passivate(second)));
    assert!(machine.finish(other, Outcome::Handled).unwrap().rests);
    machine.rest(third, at(0));
    assert!(!machine.is_due());
}

#[test]
fn passivates_another_agent_if_one_stays_awake() {
    let (mut machine, [first, second]) = with_idle(most(1));
    assert_eq!(machine.step(), Some(Step::Passivate(first)));
    assert_eq!(machine.stay_awake(first, Some(at(5))), Ok(true));
    machine.rest(first, at(0));
    assert_eq!(machine.step(), Some(Step::Passivate(second)));
    assert_eq!(machine.stay_awake(second, Some(at(9))), Ok(true));
    machine.rest(second, at(0));
    assert_eq!(machine.step(), None, "neither is tried again at once");
    assert_eq!(machine.next_wake(), Some(at(5)));
    assert_eq!(machine.advance(at(5)), Some(at(9)));
    assert_eq!(machine.step(), Some(Step::Passivate(first)));
}

#[test]
fn applies_to_the_idle_agents_that_exist() {
    let after = Policy { passivate_after: Some(at(100)), ..Policy::default() };
    let (mut machine, [first, second, third]) = with_idle(after);
    use_agent(&mut machine, first);
    machine.rest(first, at(1));
    machine.configure(writer(), most(1));
    let next = [machine.step(), machine.step(), machine.step()];
    assert_eq!(next, [Some(Step::Passivate(second)), Some(Step::Passivate(third)), None]);
    machine.configure(writer(), Policy::default());
    build(&mut machine, "fourth");
    assert!(!machine.is_due(), "there is no limit any more");
}

#[test]
fn does_not_count_agents_that_were_not_built() {
    let (mut machine, [agent]) = with_idle(most(1));
    machine.enter(writer(), "permanent").unwrap();
    assert!(!machine.is_due());
    use_agent(&mut machine, agent);
    assert!(!machine.is_due());
}

#[test]
fn counts_failed_builds_no_longer() {
    let (mut machine, [agent]) = with_idle(most(2));
    for number in 0..10 {
        let failing = machine.begin_build(writer(), &format!("failing {number}")).unwrap();
        machine.build_failed(failing).unwrap();
    }
    assert!(!machine.is_due());
    use_agent(&mut machine, agent);
    assert!(!machine.is_due());
}

#[test]
fn keeps_nothing_of_passivated_agents() {
    let policy = Policy { passivate_after: Some(at(1_000_000)), ..most(1) };
    let (mut machine, []) = with_idle(policy);
    for number in 0..1000_u64 {
        build(&mut machine, &number.to_string());
        if let Some(step) = machine.step() {
            let Step::Passivate(agent) = step else { panic!("{step:?}") };
            assert_eq!(machine.passivated(agent), Ok(false));
        }
    }
    assert_eq!(machine.agents(), 1);
    assert!(format!("{machine:?}").len() < 3000, "no timers and no ranks are left: {machine:?}");
}
