//! The desk from which published messages are handed out: one sleeping task that is the current one to
//! handler after handler, instead of a task that is made the current one for each.

use pyo3::ffi;
use pyo3::prelude::*;

use super::current_task::AsCurrent;
use super::delivery_task::is_asleep;
use super::drive::Drive;
use super::private::is_referred_to;
use super::spares::Spare;

/// Whatever is not a handler, and may look which task is the current one, runs after
/// [`Desk::leave`].
pub(super) struct Desk<'a, 'py> {
    drive: &'a Drive,
    event_loop: &'a Bound<'py, PyAny>,
    taken: Option<Taken<'a, 'py>>,
}

/// A task, asleep, that is the current one. In this order it stops to be that, and is given back.
struct Taken<'a, 'py> {
    current: AsCurrent<'a, 'py>,
    spare: Spare,
}

impl<'a, 'py> Desk<'a, 'py> {
    pub(super) fn new(drive: &'a Drive, event_loop: &'a Bound<'py, PyAny>) -> Self {
        Self { drive, event_loop, taken: None }
    }

    /// The task for the next handler, asleep and the current one.
    #[inline]
    pub(super) fn spare(&mut self) -> PyResult<&mut Spare> {
        let py = self.event_loop.py();
        if self.taken.as_ref().is_some_and(|taken| !taken.is_untouched(py)) {
            self.leave();
        }
        let taken = if let Some(taken) = self.taken.take() {
            taken
        } else {
            let spare = self.drive.spare(py)?;
            let current = AsCurrent::enter(self.event_loop, spare.task.bind(py))?;
            Taken { current, spare }
        };
        Ok(&mut self.taken.insert(taken).spare)
    }

    /// Gives the task away, to a handler that has suspended in it.
    pub(super) fn give_away(&mut self) -> Option<Spare> {
        self.taken.take().map(|taken| taken.spare)
    }

    /// Makes the task that was the current one before so again.
    pub(super) fn leave(&mut self) {
        if let Some(Taken { current, spare }) = self.taken.take() {
            drop(current);
            self.drive.put_back(self.event_loop.py(), spare);
        }
    }
}

impl Drop for Desk<'_, '_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Taken<'_, '_> {
    /// Whether nobody knows of the task but its holder and asyncio, whose current one it is.
    fn is_untouched(&self, py: Python<'_>) -> bool {
        let task = self.spare.task.bind(py);
        // SAFETY: a live object, and tasks have a list of weak references.
        is_asleep(task)
            && unsafe { ffi::Py_REFCNT(task.as_ptr()) == 2 && !is_referred_to(task.as_ptr()) }
    }
}
