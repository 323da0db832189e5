//! The ledger: a message is accepted, spreads and is settled.

use std::hint::black_box;

use ferrogen_core::{Ledger, Outcome};

use super::Work;

/// Accepts a message and settles it.
pub(crate) fn one_piece() -> Work {
    let mut ledger = Ledger::default();
    Box::new(move || {
        let ticket = ledger.accept();
        assert_eq!(ledger.end(ticket, Outcome::Answered), Ok(Some(Outcome::Answered)));
    })
}

/// Accepts a message that goes to 100 agents, and settles it with the last of them.
pub(crate) fn hundred_pieces() -> Work {
    let mut ledger = Ledger::default();
    Box::new(move || {
        let ticket = ledger.accept();
        ledger.spread(ticket, 100).expect("it is open");
        for _ in 1..100 {
            // Each is to look its ticket up, as in a runtime, where other things happen between.
            assert_eq!(ledger.end(black_box(ticket), Outcome::Handled), Ok(None));
        }
        assert_eq!(ledger.end(ticket, Outcome::Handled), Ok(Some(Outcome::Handled)));
    })
}
