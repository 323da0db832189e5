//! Admission of inline handlers: the nesting depth, the stack, and the budget of a iteration of the event loop.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;

use super::engine::Engine;
use crate::interpreter::recursion::{has_stack, is_ample};

/// How deep handlers may nest, whatever else is on the interpreter's stack.
const SHALLOW: u32 = 16;
/// How deep they may nest while at least half of the recursion limit is left. Beyond it a message is queued,
/// and its handler begins on an empty stack.
const DEEPEST: u32 = 200;
/// How many messages sent by handlers are handled in one iteration of the event loop: the next one is queued.
pub(super) const BUDGET: u32 = 2048;
/// How much of the budget a message costs that is sent from outside any handler.
const OUTER_COST: u32 = 4;

/// The permission to run one handler inline. Lowers the nesting depth when dropped.
pub(super) struct InlineGuard<'py> {
    pub(super) engine: Bound<'py, Engine>,
    pub(super) event_loop: Bound<'py, PyAny>,
}

impl<'py> InlineGuard<'py> {
    /// For a handler that the event loop calls; `None` if the runtime is not started here.
    pub(super) fn in_this_iteration(engine: &Bound<'py, Engine>) -> Option<Self> {
        let py = engine.py();
        let event_loop = engine.get().state.with(py, |state| {
            let event_loop = state.event_loop.as_ref().filter(|_| state.is_open_here())?;
            Some(event_loop.bind(py).clone())
        })?;
        Some(Self::take(engine, event_loop))
    }

    /// The same with the whole budget of a new iteration.
    pub(super) fn in_new_iteration(engine: &Bound<'py, Engine>) -> Option<Self> {
        engine.get().state.with(engine.py(), |state| state.budget = BUDGET);
        Self::in_this_iteration(engine)
    }

    #[inline]
    fn take(engine: &Bound<'py, Engine>, event_loop: Bound<'py, PyAny>) -> Self {
        let depth = &engine.get().depth;
        depth.store(depth.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Self { engine: engine.clone(), event_loop }
    }
}

impl Drop for InlineGuard<'_> {
    fn drop(&mut self) {
        let depth = &self.engine.get().depth;
        depth.store(depth.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    }
}

impl Engine {
    /// Permits one more inline handler; `None` if its message is to be queued.
    #[inline]
    pub(super) fn admit<'py>(engine: &Bound<'py, Self>) -> Option<InlineGuard<'py>> {
        let (py, this) = (engine.py(), engine.get());
        if this.is_task_mode {
            return None;
        }
        let depth = this.depth.load(Ordering::Relaxed);
        let allowed = if depth < SHALLOW || is_ample(py) { DEEPEST } else { SHALLOW };
        if depth >= allowed || !has_stack() {
            return None;
        }
        // Queueing inside a handler suspends all its callers, which is expensive.
        let cost = if depth == 0 { OUTER_COST } else { 1 };
        let event_loop = this.state.with(py, |state| {
            if !state.is_open_here() {
                return None;
            }
            if state.budget < cost {
                state.budget = BUDGET;
                return None;
            }
            state.budget -= cost;
            state.event_loop.as_ref().map(|event_loop| event_loop.bind(py).clone())
        })?;
        Some(InlineGuard::take(engine, event_loop))
    }
}
