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
    current: AsCurrent<'a, 'py>,
    /// Has the task that is the current one, if there is one.
    spare: Option<Box<Spare>>,
}

impl<'a, 'py> Desk<'a, 'py> {
    pub(super) fn new(drive: &'a Drive, event_loop: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Self { drive, event_loop, current: AsCurrent::new(event_loop)?, spare: None })
    }

    /// The task for the next handler, asleep and the current one.
    #[inline]
    pub(super) fn spare(&mut self) -> PyResult<&mut Spare> {
        let py = self.event_loop.py();
        if self.spare.as_ref().is_some_and(|spare| !is_untouched(spare.task.bind(py))) {
            self.leave();
        }
        if self.spare.is_none() {
            let spare = self.drive.spare(py)?;
            self.current.enter(spare.task.bind(py))?;
            self.spare = Some(spare);
        }
        Ok(self.spare.as_mut().expect("it was put there"))
    }

    /// Gives the task away, to a handler that has suspended in it.
    pub(super) fn give_away(&mut self) -> Option<Box<Spare>> {
        self.current.leave();
        self.forget();
        self.spare.take()
    }

    /// All recipients of a message have been told of it.
    pub(super) fn forget(&self) {
        if let Some(spare) = &self.spare {
            spare.forget(self.event_loop.py());
        }
    }

    /// Makes the task that was the current one before so again.
    pub(super) fn leave(&mut self) {
        if let Some(spare) = self.give_away() {
            self.drive.put_back(self.event_loop.py(), spare);
        }
    }
}

impl Drop for Desk<'_, '_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether nobody knows of a task but its holder and asyncio, whose current one it is.
fn is_untouched(task: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object, and tasks have a list of weak references.
    is_asleep(task)
        && unsafe { ffi::Py_REFCNT(task.as_ptr()) == 2 && !is_referred_to(task.as_ptr()) }
}
