//! Messages: acceptance and settlement.

use std::hint::black_box;

use ferrogen_core::{Machine, Outcome};

use super::Work;
use super::deliveries::{Payload, with_agent};

/// Accepts a message and settles it without a delivery.
pub(crate) fn no_recipient() -> Work {
    let mut machine = Machine::<Payload>::default();
    Box::new(move || {
        let ticket = machine.hold();
        let settled = machine.settle(black_box(ticket), Outcome::Handled);
        assert_eq!(settled, Ok(Some(Outcome::Handled)));
    })
}

/// Starts and finishes 100 deliveries of one message.
pub(crate) fn hundred_recipients() -> Work {
    let (mut machine, agent) = with_agent(ferrogen_core::Policy::default());
    Box::new(move || {
        let ticket = machine.hold();
        for _ in 0..100 {
            let delivery = machine.start_delivery(agent, black_box(ticket), None);
            let delivery = delivery.expect("a held ticket").expect("nothing is ahead of it");
            machine.finish(delivery, Outcome::Handled).expect("a running delivery");
        }
        let settled = machine.settle(ticket, Outcome::Handled);
        assert_eq!(settled, Ok(Some(Outcome::Handled)));
    })
}
