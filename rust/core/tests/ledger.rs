//! Every accepted message is settled exactly once (L1), by example and against a plain map.

use std::collections::HashMap;

use ferrogen_core::{CoreError, Ledger, Outcome, Ticket};
use proptest::prelude::*;

const OUTCOMES: [Outcome; 5] =
    [Outcome::Handled, Outcome::Answered, Outcome::Dropped, Outcome::Failed, Outcome::DeadLettered];

#[test]
fn a_message_ends_as_the_gravest_of_its_deliveries() {
    let mut ledger = Ledger::default();
    let ticket = ledger.accept();
    ledger.spread(ticket, 3).unwrap();
    assert_eq!(ledger.end(ticket, Outcome::Handled), Ok(None));
    assert_eq!(ledger.end(ticket, Outcome::Failed), Ok(None));
    assert_eq!(ledger.end(ticket, Outcome::Handled), Ok(Some(Outcome::Failed)));
    assert_eq!(ledger.tally().failed, 1);
    assert_eq!(ledger.tally().handled, 0);
}

#[test]
fn a_message_that_nobody_hears_is_handled() {
    let mut ledger = Ledger::default();
    let ticket = ledger.accept();
    ledger.spread(ticket, 0).unwrap();
    assert!(ledger.is_idle());
    assert_eq!(ledger.tally().handled, 1);
}

#[test]
fn a_settled_ticket_is_refused_even_when_its_place_was_given_out_again() {
    let mut ledger = Ledger::default();
    let stale = ledger.accept();
    ledger.end(stale, Outcome::Handled).unwrap();
    let fresh = ledger.accept();
    assert_eq!(ledger.end(stale, Outcome::Handled), Err(CoreError::TicketNotOpen));
    assert_eq!(ledger.spread(stale, 2), Err(CoreError::TicketNotOpen));
    assert!(ledger.is_open(fresh));
    assert_eq!(ledger.open(), 1);
}

#[test]
fn a_ticket_that_was_never_given_out_is_refused() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.end(Ticket::default(), Outcome::Handled), Err(CoreError::TicketNotOpen));
    assert!(ledger.is_idle());
}

#[derive(Clone, Debug)]
enum Op {
    Accept,
    Spread(prop::sample::Index, usize),
    End(prop::sample::Index, Outcome),
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop::sample::select(&OUTCOMES[..]);
    prop_oneof![
        3 => Just(Op::Accept),
        2 => (any::<prop::sample::Index>(), 0..4_usize).prop_map(|(one, n)| Op::Spread(one, n)),
        5 => (any::<prop::sample::Index>(), outcome).prop_map(|(one, how)| Op::End(one, how)),
    ]
}

/// The naive ledger: what is open, with its pieces and its gravest outcome, and what was settled.
#[derive(Default)]
struct Book {
    open: HashMap<Ticket, (usize, Outcome)>,
    settled: HashMap<Ticket, Outcome>,
}

impl Book {
    fn end(&mut self, ticket: Ticket, outcome: Outcome) -> Result<Option<Outcome>, CoreError> {
        let Some((pieces, gravest)) = self.open.remove(&ticket) else {
            return Err(CoreError::TicketNotOpen);
        };
        let gravest = if outcome > gravest { outcome } else { gravest };
        if pieces > 1 {
            self.open.insert(ticket, (pieces - 1, gravest));
            return Ok(None);
        }
        assert_eq!(self.settled.insert(ticket, gravest), None, "L1: settled once");
        Ok(Some(gravest))
    }

    fn spread(&mut self, ticket: Ticket, pieces: usize) -> Result<(), CoreError> {
        if pieces == 0 {
            return self.end(ticket, Outcome::Handled).map(|_| ());
        }
        let entry = self.open.get_mut(&ticket).ok_or(CoreError::TicketNotOpen)?;
        entry.0 += pieces - 1;
        Ok(())
    }

    fn ended(&self, outcome: Outcome) -> u64 {
        self.settled.values().map(|how| u64::from(*how == outcome)).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_ledger_agrees_with_a_map_of_tickets_and_pieces(
        ops in prop::collection::vec(op(), 0..120)
    ) {
        let mut ledger = Ledger::default();
        let mut book = Book::default();
        let mut tickets: Vec<Ticket> = Vec::new();
        for op in ops {
            match op {
                Op::Accept => {
                    let ticket = ledger.accept();
                    prop_assert!(!tickets.contains(&ticket), "L1: a ticket is given out once");
                    tickets.push(ticket);
                    book.open.insert(ticket, (1, Outcome::Handled));
                }
                Op::Spread(..) | Op::End(..) if tickets.is_empty() => {}
                Op::Spread(one, pieces) => {
                    let ticket = *one.get(&tickets);
                    prop_assert_eq!(ledger.spread(ticket, pieces), book.spread(ticket, pieces));
                }
                Op::End(one, outcome) => {
                    let ticket = *one.get(&tickets);
                    prop_assert_eq!(ledger.end(ticket, outcome), book.end(ticket, outcome));
                }
            }
            let tally = ledger.tally();
            prop_assert_eq!(ledger.open(), book.open.len());
            prop_assert_eq!(ledger.is_idle(), book.open.is_empty());
            prop_assert_eq!(tally.accepted, tickets.len() as u64);
            prop_assert_eq!(tally.settled() + ledger.open() as u64, tally.accepted);
            let counts =
                [tally.handled, tally.answered, tally.dropped, tally.failed, tally.dead_lettered];
            prop_assert_eq!(counts, OUTCOMES.map(|outcome| book.ended(outcome)));
        }
        for ticket in tickets {
            prop_assert_eq!(ledger.is_open(ticket), book.open.contains_key(&ticket));
        }
    }
}
