//! How agents come and go in the step machine (A1), in sentences.

mod sending;

use ferrogen_core::{CoreError, Machine, Names, Outcome, Stage, Step, Symbol};
use sending::send;

fn writer() -> Symbol {
    Names::default().intern("writer")
}

#[test]
fn messages_wait_for_the_build_and_start_in_their_order() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    let (first, _) = send(&mut machine, agent, "first");
    let (second, _) = send(&mut machine, agent, "second");
    assert_eq!(machine.step(), Some(Step::Build(agent)));
    assert_eq!(machine.step(), None);
    assert_eq!(machine.waiting(), 2);
    machine.built(agent).unwrap();
    assert_eq!(machine.waiting(), 0);
    assert_eq!(machine.step(), Some(Step::Deliver(agent, first, "first")));
    assert_eq!(machine.step(), Some(Step::Deliver(agent, second, "second")));
}

#[test]
fn an_agent_is_built_once_however_often_it_is_asked_for() {
    let mut machine = Machine::<&str>::default();
    let agent = machine.build(writer(), "default").unwrap();
    assert_eq!(machine.build(writer(), "default"), Err(CoreError::AgentExists));
    assert_eq!(machine.enter(writer(), "default"), Err(CoreError::AgentExists));
    assert_eq!(machine.find(writer(), "default"), Some(agent));
    assert_eq!(machine.step(), Some(Step::Build(agent)));
    assert_eq!(machine.step(), None);
    machine.built(agent).unwrap();
    assert_eq!(machine.build(writer(), "default"), Err(CoreError::AgentExists));
}

#[test]
fn agents_of_one_type_or_one_key_are_different_agents() {
    let mut names = Names::default();
    let (writer, critic) = (names.intern("writer"), names.intern("critic"));
    let mut machine = Machine::<&str>::default();
    let one = machine.enter(writer, "one").unwrap();
    let two = machine.enter(writer, "two").unwrap();
    let other = machine.enter(critic, "one").unwrap();
    assert_eq!(machine.agents(), 3);
    assert_eq!(machine.find(writer, "one"), Some(one));
    assert_eq!(machine.find(writer, "two"), Some(two));
    assert_eq!(machine.find(critic, "one"), Some(other));
    assert_eq!(machine.find(critic, "two"), None);
}

#[test]
fn a_failed_build_gives_its_waiting_messages_back_and_is_tried_again() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    let (first, _) = send(&mut machine, agent, "first");
    let (second, _) = send(&mut machine, agent, "second");
    machine.step();
    assert_eq!(machine.build_failed(agent), Ok(vec![(first, "first"), (second, "second")]));
    assert_eq!(machine.waiting(), 0);
    for ticket in [first, second] {
        machine.end(ticket, Outcome::Failed).unwrap();
    }
    assert!(machine.is_idle());
    assert_eq!(machine.find(writer(), "default"), None);
    let again = machine.build(writer(), "default").unwrap();
    assert_ne!(again, agent);
    assert_eq!(machine.step(), Some(Step::Build(again)));
}

#[test]
fn a_build_is_reported_on_once_and_only_after_its_step_was_taken() {
    let mut machine = Machine::<&str>::default();
    let agent = machine.build(writer(), "default").unwrap();
    assert_eq!(machine.built(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.build_failed(agent), Err(CoreError::WrongStage));
    machine.step();
    machine.built(agent).unwrap();
    assert_eq!(machine.built(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.build_failed(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.stage(agent), Some(Stage::Ready));
}

#[test]
fn a_build_of_the_drivers_own_makes_no_step_and_is_reported_on_like_any_other() {
    let mut machine = Machine::default();
    let agent = machine.begin_build(writer(), "default").unwrap();
    assert_eq!(machine.begin_build(writer(), "default"), Err(CoreError::AgentExists));
    assert_eq!(machine.build(writer(), "default"), Err(CoreError::AgentExists));
    let (ticket, _) = send(&mut machine, agent, "hello");
    assert_eq!(machine.step(), None);
    machine.built(agent).unwrap();
    assert_eq!(machine.step(), Some(Step::Deliver(agent, ticket, "hello")));
    let failing = machine.begin_build(writer(), "failing").unwrap();
    assert_eq!(machine.build_failed(failing), Ok(vec![]));
    assert_eq!(machine.find(writer(), "failing"), None);
}

#[test]
fn an_agent_that_is_being_built_handles_nothing_that_could_be_reported() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    let (ticket, _) = send(&mut machine, agent, "hello");
    machine.step();
    assert_eq!(machine.finish(agent, ticket, Outcome::Handled), Err(CoreError::WrongStage));
    assert_eq!(machine.waiting(), 1);
    machine.built(agent).unwrap();
    assert_eq!(machine.step(), Some(Step::Deliver(agent, ticket, "hello")));
}

#[test]
fn only_an_agent_with_nothing_to_do_is_passivated() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    assert!(!machine.passivate(agent), "its build is due");
    machine.step();
    assert!(!machine.passivate(agent), "it is being built");
    machine.built(agent).unwrap();
    let (ticket, _) = send(&mut machine, agent, "hello");
    assert!(!machine.passivate(agent), "a delivery is due");
    machine.step();
    assert!(!machine.passivate(agent), "its handler runs");
    machine.finish(agent, ticket, Outcome::Handled).unwrap();
    assert!(machine.passivate(agent));
    assert_eq!(machine.agents(), 0);
    assert_eq!(machine.find(writer(), "default"), None);
}

#[test]
fn agents_that_come_and_go_leave_nothing_behind() {
    let mut machine = Machine::default();
    for number in 0..1000 {
        let agent = machine.build(writer(), &number.to_string()).unwrap();
        let (ticket, _) = send(&mut machine, agent, "hello");
        machine.step();
        machine.built(agent).unwrap();
        machine.step();
        machine.finish(agent, ticket, Outcome::Handled).unwrap();
        assert!(machine.passivate(agent));
    }
    assert_eq!(machine.agents(), 0);
    assert_eq!(machine.open(), 0);
    assert_eq!(machine.tally().handled, 1000);
}
