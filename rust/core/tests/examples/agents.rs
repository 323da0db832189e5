//! Agents: builds and slots (A1).

use ferrogen_core::SchedulingClass;
use ferrogen_core::{Awaits, CoreError, Machine, Names, Outcome, Policy, Stage, Step};

use super::{send, with_agent, writer};

#[test]
fn keeps_messages_until_the_agent_is_built() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    let first = send(&mut machine, agent, "first");
    let second = send(&mut machine, agent, "second");
    assert_eq!(machine.step(), Some(Step::Build(agent)));
    assert_eq!(machine.step(), None);
    assert_eq!((machine.waiting(), machine.stage(agent)), (2, Some(Stage::Building)));
    assert_eq!(machine.built(agent), Ok(false));
    assert_eq!((machine.waiting(), machine.stage(agent)), (0, Some(Stage::Ready)));
    assert_eq!(machine.step(), Some(Step::Deliver(agent, first, "first")));
    assert_eq!(machine.step(), Some(Step::Deliver(agent, second, "second")));
}

#[test]
fn counts_the_load_of_an_agent_from_its_build_on() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    let load = |machine: &Machine<&str>| {
        let load = machine.load(agent).unwrap();
        (load.queued, load.running)
    };
    assert_eq!(load(&machine), (0, 0));
    send(&mut machine, agent, "first");
    send(&mut machine, agent, "second");
    machine.step();
    assert_eq!(load(&machine), (2, 0));
    machine.built(agent).unwrap();
    assert_eq!(load(&machine), (2, 0));
    let Some(Step::Deliver(_, delivery, _)) = machine.step() else { unreachable!() };
    assert_eq!(load(&machine), (1, 1));
    machine.finish(delivery, Outcome::Handled).unwrap();
    assert_eq!(load(&machine), (1, 0));
}

#[test]
fn builds_an_agent_once() {
    let mut machine = Machine::<&str>::default();
    let agent = machine.build(writer(), "default").unwrap();
    assert_eq!(machine.build(writer(), "default"), Err(CoreError::AgentExists));
    assert_eq!(machine.begin_build(writer(), "default"), Err(CoreError::AgentExists));
    assert_eq!(machine.enter(writer(), "default"), Err(CoreError::AgentExists));
    assert_eq!(machine.find(writer(), "default"), Some(agent));
    assert_eq!(machine.step(), Some(Step::Build(agent)));
    assert_eq!(machine.step(), None);
}

#[test]
fn takes_a_due_build_out_of_turn() {
    let mut machine = Machine::<&str>::default();
    let other = machine.build(writer(), "other").unwrap();
    let agent = machine.build(writer(), "default").unwrap();
    assert!(machine.take_build(agent));
    assert!(!machine.take_build(agent));
    assert_eq!(machine.step(), Some(Step::Build(other)));
    assert_eq!(machine.step(), None);
    assert_eq!(machine.built(agent), Ok(false));
    assert_eq!(machine.stage(agent), Some(Stage::Ready));
}

#[test]
fn distinguishes_agents_by_type_and_key() {
    let mut names = Names::default();
    let (writer, critic) = (names.intern("writer"), names.intern("critic"));
    let mut machine = Machine::<&str>::default();
    let one = machine.enter(writer, "one").unwrap();
    let two = machine.enter(writer, "two").unwrap();
    let other = machine.enter(critic, "one").unwrap();
    assert_eq!(machine.agents(), 3);
    assert_eq!(machine.find(writer, "two"), Some(two));
    assert_eq!(machine.find(critic, "one"), Some(other));
    assert_eq!(machine.find(critic, "two"), None);
    assert_eq!([one, other].map(|slot| machine.agent_type(slot)), [Some(writer), Some(critic)]);
}

#[test]
fn returns_the_waiting_deliveries_of_a_failed_build() {
    let mut machine = Machine::default();
    let agent = machine.build(writer(), "default").unwrap();
    let first = send(&mut machine, agent, "first");
    let second = send(&mut machine, agent, "second");
    machine.step();
    assert_eq!(machine.build_failed(agent), Ok(vec![(first, "first"), (second, "second")]));
    assert_eq!((machine.waiting(), machine.agents()), (0, 0));
    for delivery in [first, second] {
        assert_eq!(machine.release(delivery), Err(CoreError::WrongStage));
        machine.finish(delivery, Outcome::Failed).unwrap();
    }
    assert!(machine.is_idle());
    assert_eq!(machine.find(writer(), "default"), None);
    assert_ne!(machine.build(writer(), "default"), Ok(agent));
}

#[test]
fn refuses_a_build_report_before_the_step_and_after_the_build() {
    let mut machine = Machine::<&str>::default();
    let agent = machine.build(writer(), "default").unwrap();
    assert_eq!(machine.built(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.build_failed(agent), Err(CoreError::WrongStage));
    machine.step();
    machine.built(agent).unwrap();
    assert_eq!(machine.built(agent), Err(CoreError::WrongStage));
    assert_eq!(machine.build_failed(agent), Err(CoreError::WrongStage));
}

#[test]
fn makes_no_step_for_a_build_that_the_driver_began() {
    let mut machine = Machine::default();
    let agent = machine.begin_build(writer(), "default").unwrap();
    let delivery = send(&mut machine, agent, "hello");
    assert_eq!(machine.step(), None);
    machine.built(agent).unwrap();
    assert_eq!(machine.step(), Some(Step::Deliver(agent, delivery, "hello")));
    let failing = machine.begin_build(writer(), "failing").unwrap();
    assert_eq!(machine.build_failed(failing), Ok(vec![]));
    assert_eq!(machine.find(writer(), "failing"), None);
}

#[test]
fn refuses_a_slot_that_left_the_directory() {
    let (mut machine, _) = with_agent(Policy::default());
    let gone = machine.begin_build(writer(), "gone").unwrap();
    machine.build_failed(gone).unwrap();
    let ticket = machine.hold();
    assert_eq!(
        machine.place(gone, ticket, "hello", SchedulingClass::NORMAL, Awaits::Nothing),
        Err(CoreError::AgentMissing)
    );
    assert_eq!(machine.start_delivery(gone, ticket, None), Ok(None));
    assert_eq!(machine.built(gone), Err(CoreError::AgentMissing));
    assert_eq!(machine.build_failed(gone), Err(CoreError::AgentMissing));
    assert_eq!((machine.stage(gone), machine.agent_type(gone)), (None, None));
    assert_eq!(machine.load(gone), None);
}
