//! The scenarios of both benchmarks: `timed` measures time, `counted` counts instructions.

mod agents;
mod deliveries;
mod messages;
mod routing;

/// A repeatable action, with everything that it needs.
pub(crate) type Work = Box<dyn FnMut()>;

/// A named action of the core.
pub(crate) struct Scenario {
    /// The name on the command line and in the file of counts.
    pub(crate) name: &'static str,
    /// Prepares the action.
    pub(crate) prepare: fn() -> Work,
}

/// All scenarios, in the order of the report.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "routing/exact, 1 subscription", prepare: routing::exact::<1> },
    Scenario { name: "routing/exact, 2000 subscriptions", prepare: routing::exact::<2000> },
    Scenario { name: "routing/prefix, 2000 subscriptions", prepare: routing::prefix::<2000> },
    Scenario { name: "routing/wildcard, 2000 subscriptions", prepare: routing::wildcard::<2000> },
    Scenario { name: "routing/one topic, 100 subscribers", prepare: routing::subscribers },
    Scenario { name: "routing/add and remove", prepare: routing::add_and_remove },
    Scenario { name: "message/no recipient", prepare: messages::no_recipient },
    Scenario { name: "message/100 recipients", prepare: messages::hundred_recipients },
    Scenario { name: "delivery/start inline", prepare: deliveries::start_inline },
    Scenario { name: "delivery/through the inbox", prepare: deliveries::through_the_inbox },
    Scenario { name: "delivery/request and response", prepare: deliveries::request_and_response },
    Scenario { name: "delivery/100 wait for one", prepare: deliveries::hundred_wait },
    Scenario { name: "delivery/100 calls wait for one", prepare: deliveries::hundred_calls_wait },
    Scenario { name: "delivery/full mailbox, oldest dropped", prepare: deliveries::full_mailbox },
    Scenario { name: "agent/build and passivate", prepare: agents::build_and_passivate },
    Scenario { name: "agent/active before its timer", prepare: agents::active },
];
