//! Who may run a handler inline: how deep handlers may stand inside one another, and how long before
//! the event loop gets a turn.

use std::sync::atomic::Ordering;

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

impl<'py> Seat<'py> {
    /// The seat of one more handler in a turn that the event loop has given; `None` if the drive is
    /// not open here.
    pub(super) fn in_this_turn(drive: &Bound<'py, Drive>) -> Option<Self> {
        let py = drive.py();
        let (event_loop, generation) = drive.get().state.with(py, |state| {
            let event_loop = state.event_loop.as_ref().filter(|_| state.is_open_here())?;
            Some((event_loop.bind(py).clone(), state.generation))
        })?;
        Some(Self::take(drive, event_loop, generation))
    }

    #[inline]
    fn take(drive: &Bound<'py, Drive>, event_loop: Bound<'py, PyAny>, generation: u32) -> Self {
        let depth = &drive.get().depth;
        depth.store(depth.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Self { drive: drive.clone(), event_loop, generation }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let depth = &self.drive.get().depth;
        depth.store(depth.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
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
        drive.get().state.with(drive.py(), |state| state.left_this_turn = A_TURN);
        Seat::in_this_turn(drive)
    }

    #[inline]
    pub(super) fn admit<'py>(drive: &Bound<'py, Self>) -> Admission<'py> {
        let (py, this) = (drive.py(), drive.get());
        let depth = this.depth.load(Ordering::Relaxed);
        let allowed = if depth < DEEP || is_ample(py) { DEEPEST } else { DEEP };
        if depth >= allowed {
            return Admission::Refused;
        }
        // To break off inside a handler suspends all that wait for it, which is dear.
        let price = if depth == 0 { OUTER_PRICE } else { 1 };
        let admitted = this.state.with(py, |state| {
            if !state.is_open_here() {
                return Err(Admission::Refused);
            }
            if state.left_this_turn < price {
                state.left_this_turn = A_TURN;
                return Err(Admission::Pause);
            }
            state.left_this_turn -= price;
            let event_loop = state.event_loop.as_ref().expect("an open drive has a loop");
            Ok((event_loop.bind(py).clone(), state.generation))
        });
        match admitted {
            Ok((event_loop, generation)) => {
                Admission::Admitted(Seat::take(drive, event_loop, generation))
            }
            Err(refused) => refused,
        }
    }
}
