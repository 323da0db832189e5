//! Agents: builds and passivation.

use ferrogen_core::SchedulingClass;
use std::time::Duration;

use ferrogen_core::{Machine, Placement, Policy, Step, Time};

use super::Work;
use super::deliveries::{begin, finish, place_next, reader, with_agent};

const SECOND: Time = Duration::from_secs(1);

fn after_a_second() -> Policy {
    Policy { passivate_after: Some(SECOND), ..Policy::default() }
}

/// The first message to an agent, which is built for it and passivated afterwards.
pub(crate) fn build_and_passivate() -> Work {
    let reader = reader();
    let mut machine = Machine::default();
    machine.configure(reader, after_a_second());
    let mut now = Time::ZERO;
    Box::new(move || {
        machine.accept(1, SchedulingClass::NORMAL);
        let agent = machine.build(reader, "new").expect("a new agent");
        assert!(matches!(place_next(&mut machine, agent, None), Placement::Queued(_)));
        assert_eq!(machine.step(), Some(Step::Build(agent)));
        assert_eq!(machine.built(agent), Ok(false));
        let delivery = begin(&mut machine);
        finish(&mut machine, delivery);
        machine.rest(agent, now);
        now += SECOND;
        assert_eq!(machine.advance(now), None);
        assert_eq!(machine.step(), Some(Step::Passivate(agent)));
        assert_eq!(machine.passivated(agent), Ok(false));
    })
}

/// A message to an agent whose timer is set.
pub(crate) fn active() -> Work {
    let (mut machine, agent) = with_agent(after_a_second());
    let mut now = Time::ZERO;
    Box::new(move || {
        let delivery = machine.start(agent, None).expect("nothing is ahead of it");
        finish(&mut machine, delivery);
        now += Duration::from_millis(1);
        machine.rest(agent, now);
    })
}
