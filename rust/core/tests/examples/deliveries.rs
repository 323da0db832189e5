//! Deliveries: stages and reports (L1).

use ferrogen_core::SchedulingClass;
use ferrogen_core::{Awaits, CoreError, DeliveryId, Machine, Outcome, Placement, Policy, Step};

use super::{finished, one_at_a_time, place, send, started, with_agent, writer};

fn handled() -> ferrogen_core::Finished {
    finished(Some(Outcome::Handled))
}

#[test]
fn settles_each_delivery_once() {
    let (mut machine, agent) = with_agent(Policy::default());
    let other = machine.enter(writer(), "other").unwrap();
    let ticket = machine.hold();
    let mut place = |slot| match machine.place(
        slot,
        ticket,
        "news",
        SchedulingClass::NORMAL,
        Awaits::Nothing,
    ) {
        Ok(Placement::Queued(delivery)) => delivery,
        placement => panic!("{placement:?}"),
    };
    let (first, second) = (place(agent), place(other));
    machine.settle(ticket, Outcome::Handled).unwrap();
    started(&mut machine);
    machine.finish(first, Outcome::Handled).unwrap();
    let before = format!("{machine:?}");
    assert_eq!(machine.finish(first, Outcome::Failed), Err(CoreError::DeliveryNotOpen));
    assert_eq!(machine.respond(first, "late"), Err(CoreError::DeliveryNotOpen));
    assert_eq!(machine.release(first), Err(CoreError::DeliveryNotOpen));
    assert_eq!(format!("{machine:?}"), before);
    assert_eq!(machine.finish(second, Outcome::Handled), Ok(handled()));
}

#[test]
fn refuses_reports_about_deliveries_that_were_not_taken() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let due = send(&mut machine, agent, "due");
    let waiting = send(&mut machine, agent, "waiting");
    for delivery in [due, waiting] {
        assert_eq!(machine.finish(delivery, Outcome::Handled), Err(CoreError::WrongStage));
        assert_eq!(machine.respond(delivery, "response"), Err(CoreError::WrongStage));
        assert_eq!(machine.release(delivery), Err(CoreError::WrongStage));
    }
    let unknown = DeliveryId::default();
    assert_eq!(machine.finish(unknown, Outcome::Handled), Err(CoreError::DeliveryNotOpen));
    assert_eq!(machine.waiting(), 1);
}

#[test]
fn releases_the_place_of_a_handler_while_its_message_stays_open() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let first = send(&mut machine, agent, "first");
    let second = send(&mut machine, agent, "second");
    assert_eq!(started(&mut machine), ["first"]);
    machine.release(first).unwrap();
    assert_eq!(machine.release(first), Err(CoreError::WrongStage));
    assert_eq!(started(&mut machine), ["second"]);
    assert_eq!(machine.finish(second, Outcome::Handled), Ok(handled()));
    assert_eq!(machine.open(), 1);
    assert_eq!(machine.finish(first, Outcome::Responded), Ok(finished(Some(Outcome::Responded))));
    assert!(machine.is_idle());
}

#[test]
fn frees_the_place_of_a_handler_with_its_response() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let first = send(&mut machine, agent, "first");
    send(&mut machine, agent, "second");
    machine.step();
    machine.respond(first, "response").unwrap();
    assert_eq!(started(&mut machine), ["second"]);
}

#[test]
fn counts_each_taken_delivery_until_it_has_begun() {
    let (mut machine, agent) = with_agent(Policy::default());
    let first = send(&mut machine, agent, "first");
    let second = send(&mut machine, agent, "second");
    machine.step();
    machine.step();
    machine.begun(first);
    machine.begun(first);
    assert!(!machine.is_clear(), "the second has not begun");
    machine.begun(second);
    assert!(machine.is_clear());
}

#[test]
fn regards_a_delivery_as_begun_after_any_other_report() {
    let (mut machine, agent) = with_agent(Policy::default());
    let first = send(&mut machine, agent, "first");
    let second = send(&mut machine, agent, "second");
    machine.step();
    machine.step();
    machine.finish(first, Outcome::Failed).unwrap();
    machine.release(second).unwrap();
    assert!(machine.is_clear());
    machine.begun(first);
    machine.begun(second);
    assert!(machine.is_clear());
}

#[test]
fn takes_steps_in_their_order() {
    let (mut machine, agent) = with_agent(Policy::default());
    let first = send(&mut machine, agent, "first");
    let building = machine.build(writer(), "building").unwrap();
    let second = send(&mut machine, agent, "second");
    assert_eq!(machine.step(), Some(Step::Deliver(agent, first, "first")));
    assert_eq!(machine.step(), Some(Step::Build(building)));
    assert_eq!(machine.step(), Some(Step::Deliver(agent, second, "second")));
    assert_eq!(machine.step(), None);
}

#[test]
fn refuses_to_place_for_an_agent_that_is_not_in_the_directory() {
    let mut machine = Machine::default();
    let ticket = machine.hold();
    let refused = machine.place(
        ferrogen_core::AgentSlot::default(),
        ticket,
        "hello",
        SchedulingClass::NORMAL,
        Awaits::Nothing,
    );
    assert_eq!(refused, Err(CoreError::AgentMissing));
    assert_eq!(machine.settle(ticket, Outcome::Failed), Ok(Some(Outcome::Failed)));
}

#[test]
fn ignores_a_caller_that_has_finished() {
    let (mut machine, agent) = with_agent(one_at_a_time());
    let caller = send(&mut machine, agent, "caller");
    started(&mut machine);
    machine.finish(caller, Outcome::Handled).unwrap();
    send(&mut machine, agent, "running");
    started(&mut machine);
    assert!(matches!(place(&mut machine, agent, "late", Some(caller)), Placement::Queued(_)));
}
