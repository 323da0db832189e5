//! Who may run a handler inline: how deep handlers may stand inside one another, and how long before
//! the event loop gets a turn.

use pyo3::prelude::*;

use super::drive::Drive;
use super::headroom::is_ample;

/// How many handlers may run inside one another, whatever else stands on the interpreter's stack.
const DEEP: u32 = 16;
/// How many may while at least half of the recursion limit is left. One more takes the plain way, and
/// begins on an empty stack.
const DEEPEST: u32 = 200;
/// How many messages from inside handlers are handled before the event loop gets a turn.
pub(super) const A_TURN: u32 = 2048;
/// As how many of them a message counts that comes from outside any handler.
const OUTER_PRICE: u32 = 16;

/// The right to run one handler inline, given back when dropped.
pub(super) struct Seat<'py> {
    pub(super) drive: Bound<'py, Drive>,
    pub(super) event_loop: Bound<'py, PyAny>,
    pub(super) generation: u32,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // SAFETY: a number is changed.
        unsafe { self.drive.get().state.with(self.drive.py(), |state| state.depth -= 1) }
    }
}

pub(super) enum Admission<'py> {
    Refused,
    Pause,
    Admitted(Seat<'py>),
}

impl Drive {
    /// The seat of a handler that the event loop itself calls, for which it has given a turn;
    /// `None` if the drive is not open here.
    pub(super) fn first_seat<'py>(drive: &Bound<'py, Self>) -> Option<Seat<'py>> {
        let py = drive.py();
        let (event_loop, generation) = unsafe {
            // SAFETY: numbers are changed and a reference is cloned.
            drive.get().state.with(py, |state| {
                if !state.is_open_here() {
                    return None;
                }
                let event_loop = state.event_loop.as_ref()?.bind(py).clone();
                state.left_this_turn = A_TURN;
                state.depth += 1;
                Some((event_loop, state.generation))
            })
        }?;
        Some(Seat { drive: drive.clone(), event_loop, generation })
    }

    pub(super) fn admit<'py>(drive: &Bound<'py, Self>) -> Admission<'py> {
        let (py, this) = (drive.py(), drive.get());
        // SAFETY: a number is read.
        let depth = unsafe { this.state.with(py, |state| state.depth) };
        let allowed = if depth < DEEP || is_ample(py) { DEEPEST } else { DEEP };
        // SAFETY: numbers are changed and a reference is cloned.
        let admitted = unsafe {
            this.state.with(py, |state| {
                if !state.is_open_here() || state.depth >= allowed {
                    return Err(Admission::Refused);
                }
                // To break off inside a handler suspends all that wait for it, which is dear.
                let price = if state.depth == 0 { OUTER_PRICE } else { 1 };
                if state.left_this_turn < price {
                    state.left_this_turn = A_TURN;
                    return Err(Admission::Pause);
                }
                state.left_this_turn -= price;
                state.depth += 1;
                let event_loop = state.event_loop.as_ref().expect("an open drive has a loop");
                Ok((event_loop.bind(py).clone(), state.generation))
            })
        };
        match admitted {
            Ok((event_loop, generation)) => {
                Admission::Admitted(Seat { drive: drive.clone(), event_loop, generation })
            }
            Err(refused) => refused,
        }
    }
}
