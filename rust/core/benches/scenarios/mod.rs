//! What is measured of the core, once: `timed` asks a clock, `counted` counts instructions.

mod bookkeeping;
mod delivering;
mod routing;

/// Something that can be done again and again, with what it needs already built.
pub(crate) type Work = Box<dyn FnMut()>;

/// One thing that the core does for a runtime.
pub(crate) struct Scenario {
    /// Its name, on the command line and in the file of counts.
    pub(crate) name: &'static str,
    /// Builds what it needs.
    pub(crate) prepare: fn() -> Work,
}

/// Every scenario, in the order in which they are shown.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "routing/exact, 1 subscription", prepare: routing::exact::<1> },
    Scenario { name: "routing/exact, 2000 subscriptions", prepare: routing::exact::<2000> },
    Scenario { name: "routing/prefix, 2000 subscriptions", prepare: routing::prefix::<2000> },
    Scenario { name: "routing/one topic, 100 subscribers", prepare: routing::crowd },
    Scenario { name: "routing/add and remove", prepare: routing::come_and_go },
    Scenario { name: "ledger/one piece", prepare: bookkeeping::one_piece },
    Scenario { name: "ledger/100 pieces", prepare: bookkeeping::hundred_pieces },
    Scenario { name: "machine/start at once", prepare: delivering::at_once },
    Scenario { name: "machine/through the inbox", prepare: delivering::through_the_inbox },
    Scenario { name: "machine/request and answer", prepare: delivering::request_and_answer },
    Scenario { name: "machine/new agent", prepare: delivering::new_agent },
    Scenario { name: "mailbox/100 wait for one", prepare: delivering::hundred_wait },
    Scenario { name: "mailbox/full, oldest dropped", prepare: delivering::full },
];
