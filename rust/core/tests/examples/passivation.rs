//! Passivation of idle agents.

use ferrogen_core::SchedulingClass;
use std::time::Duration;

use ferrogen_core::{
    AgentSlot, Awaits, CoreError, Load, Machine, Outcome, Policy, Stage, Step, Time,
};

use super::{send, started, with_agent, writer};

fn after(seconds: u64) -> Policy {
    Policy { passivate_after: Some(at(seconds)), ..Policy::default() }
}

fn at(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

/// Handles a message, at the end of which the agent becomes idle at `now`.
fn handle(machine: &mut Machine<&str>, agent: AgentSlot, now: Time) {
    let delivery = send(machine, agent, "hello");
    assert_eq!(started(machine), ["hello"]);
    assert!(machine.finish(delivery, Outcome::Handled).expect("a running delivery").rests);
    machine.rest(agent, now);
}

#[test]
fn passivates_an_agent_that_was_idle_for_long_enough() {
    let (mut machine, agent) = with_agent(after(10));
    handle(&mut machine, agent, at(5));
    assert_eq!(machine.next_wake(), Some(at(15)));
    assert_eq!(machine.advance(at(14)), Some(at(15)));
    assert!(!machine.is_due());
    assert_eq!(machine.advance(at(15)), None);
    assert!(!machine.is_clear(), "it is to be saved and closed first");
    assert_eq!(machine.stage(agent), Some(Stage::Passivating));
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
    assert_eq!(machine.step(), None);
    assert_eq!(machine.passivated(agent), Ok(false));
    assert_eq!((machine.agents(), machine.find(writer(), "default")), (0, None));
}

#[test]
fn postpones_the_passivation_of_an_agent_that_was_active() {
    let (mut machine, agent) = with_agent(after(10));
    handle(&mut machine, agent, at(0));
    handle(&mut machine, agent, at(7));
    assert_eq!(machine.next_wake(), Some(at(10)), "the timer is moved when it is due");
    assert_eq!(machine.advance(at(10)), Some(at(17)));
    assert_eq!(machine.advance(at(17)), None);
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
}

#[test]
fn removes_the_timer_of_a_busy_agent() {
    let (mut machine, agent) = with_agent(after(10));
    handle(&mut machine, agent, at(0));
    let delivery = machine.start(agent, None).unwrap();
    assert_eq!(machine.advance(at(20)), None);
    assert!(machine.finish(delivery, Outcome::Handled).unwrap().rests);
    machine.rest(agent, at(30));
    assert_eq!(machine.next_wake(), Some(at(40)));
}

fn passivate(machine: &mut Machine<&str>, agent: AgentSlot, now: Time) {
    machine.rest(agent, now);
    machine.advance(now);
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
}

#[test]
fn keeps_what_arrives_meanwhile_for_the_successor() {
    let (mut machine, agent) = with_agent(after(0));
    passivate(&mut machine, agent, at(0));
    send(&mut machine, agent, "first");
    send(&mut machine, agent, "second");
    assert_eq!(machine.load(agent), Some(Load { queued: 2, running: 0 }));
    assert_eq!((machine.start(agent, None), machine.step()), (None, None));
    assert_eq!(machine.passivated(agent), Ok(true));
    assert_eq!((machine.stage(agent), machine.step()), (Some(Stage::Building), None));
    assert_eq!(machine.built(agent), Ok(false));
    assert_eq!(started(&mut machine), ["first", "second"]);
}

#[test]
fn handles_what_arrived_meanwhile_if_it_stays_awake() {
    let (mut machine, agent) = with_agent(after(1));
    machine.rest(agent, at(0));
    machine.advance(at(1));
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
    let delivery = send(&mut machine, agent, "hello");
    assert_eq!(machine.stay_awake(agent, Some(at(20))), Ok(false));
    assert_eq!(started(&mut machine), ["hello"]);
    assert!(machine.finish(delivery, Outcome::Handled).unwrap().rests);
    machine.rest(agent, at(2));
    assert_eq!(machine.next_wake(), Some(at(20)), "not before that time");
    machine.advance(at(20));
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
}

#[test]
fn refuses_reports_of_agents_that_are_not_passivated() {
    let (mut machine, agent) = with_agent(after(0));
    assert_eq!(machine.passivated(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.stay_awake(agent, None), Err(CoreError::WrongStage));
    machine.rest(agent, at(0));
    machine.advance(at(0));
    assert_eq!(machine.passivated(agent), Err(CoreError::WrongStage), "the step is not taken");
    machine.step();
    assert_eq!(machine.built(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.build_failed(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.passivated(agent), Ok(false));
    assert_eq!(machine.passivated(agent), Err(CoreError::AgentMissing));
}

#[test]
fn reports_rest_once_per_idle_period() {
    let (mut machine, agent) = with_agent(after(10));
    let delivery = send(&mut machine, agent, "question");
    started(&mut machine);
    assert_eq!(machine.respond(delivery, "response"), Ok(true));
    machine.rest(agent, at(0));
    machine.take();
    assert!(!machine.finish(delivery, Outcome::Responded).unwrap().rests);
}

#[test]
fn lets_a_new_agent_rest_after_its_build() {
    let mut machine = Machine::<&str>::default();
    machine.configure(writer(), after(10));
    let agent = machine.begin_build(writer(), "default").unwrap();
    assert_eq!(machine.built(agent), Ok(true));
    machine.rest(agent, at(1));
    assert_eq!(machine.next_wake(), Some(at(11)));
}

#[test]
fn ignores_rest_for_busy_missing_and_permanent_agents() {
    let (mut machine, busy) = with_agent(after(10));
    machine.start(busy, None).unwrap();
    let building = machine.build(writer(), "building").unwrap();
    for slot in [busy, building, AgentSlot::default()] {
        machine.rest(slot, at(0));
    }
    assert_eq!(machine.next_wake(), None);
    let (mut machine, permanent) = with_agent(Policy::default());
    machine.rest(permanent, at(0));
    assert_eq!(machine.next_wake(), None);
}

#[test]
fn builds_a_new_agent_for_the_next_message() {
    let (mut machine, gone) = with_agent(after(0));
    passivate(&mut machine, gone, at(0));
    assert_eq!(machine.passivated(gone), Ok(false));
    let ticket = machine.hold();
    assert_eq!(
        machine.place(gone, ticket, "hello", SchedulingClass::NORMAL, Awaits::Nothing),
        Err(CoreError::AgentMissing)
    );
    let agent = machine.build(writer(), "default").unwrap();
    assert_ne!(agent, gone);
    machine.place(agent, ticket, "hello", SchedulingClass::NORMAL, Awaits::Nothing).unwrap();
    assert_eq!(machine.step(), Some(Step::Build(agent)));
}

#[test]
fn passivates_an_agent_whose_response_is_in_flight() {
    let (mut machine, agent) = with_agent(after(0));
    let delivery = send(&mut machine, agent, "question");
    started(&mut machine);
    machine.respond(delivery, "response").unwrap();
    machine.rest(agent, at(0));
    machine.advance(at(0));
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
    assert!(machine.take().is_some());
    assert!(!machine.finish(delivery, Outcome::Responded).unwrap().rests);
    assert!(machine.is_idle());
}

#[test]
fn applies_a_policy_that_ends_passivation() {
    let (mut machine, agent) = with_agent(after(10));
    machine.rest(agent, at(0));
    machine.configure(writer(), Policy::default());
    assert_eq!(machine.advance(at(100)), None);
    assert_eq!(machine.agents(), 1);
}

#[test]
fn replaces_the_timer_when_the_policy_was_shortened() {
    let (mut machine, agent) = with_agent(after(10));
    machine.rest(agent, at(0));
    machine.configure(writer(), after(2));
    machine.rest(agent, at(1));
    assert_eq!(machine.next_wake(), Some(at(3)));
    assert_eq!(machine.advance(at(3)), None, "the first timer is removed");
    assert_eq!(machine.step(), Some(Step::Passivate(agent)));
}

#[test]
fn never_passivates_beyond_the_end_of_time() {
    let forever = Policy { passivate_after: Some(Time::MAX), ..Policy::default() };
    let (mut machine, agent) = with_agent(forever);
    machine.rest(agent, at(1));
    assert_eq!(machine.next_wake(), None);
    assert_eq!(machine.advance(Time::MAX), None);
}

#[test]
fn keeps_nothing_of_passivated_agents() {
    let mut machine = Machine::default();
    machine.configure(writer(), after(1));
    for number in 0..1000 {
        let agent = machine.begin_build(writer(), &number.to_string()).unwrap();
        machine.built(agent).unwrap();
        handle(&mut machine, agent, at(number));
        machine.advance(at(number + 1));
        assert_eq!(machine.step(), Some(Step::Passivate(agent)));
        assert_eq!(machine.passivated(agent), Ok(false));
    }
    assert_eq!((machine.agents(), machine.open(), machine.next_wake()), (0, 0, None));
    assert_eq!(machine.tally().handled, 1000);
}

#[test]
fn never_passivates_an_agent_that_was_not_built() {
    let mut machine: Machine<&str> = Machine::default();
    let passivate_after = Some(Time::from_secs(1));
    machine.configure(writer(), Policy { passivate_after, ..Policy::default() });
    let agent = machine.enter(writer(), "default").unwrap();
    let delivery = machine.start(agent, None).unwrap();
    assert!(!machine.finish(delivery, Outcome::Handled).unwrap().rests);
    machine.rest(agent, Time::ZERO);
    assert_eq!(machine.next_wake(), None);
}
