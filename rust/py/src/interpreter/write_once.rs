//! `WriteOnce`: a cell that is set once, and only read from then on.

use std::cell::UnsafeCell;

use pyo3::Python;

/// A `OnceLock` without atomic operations: the interpreter's lock keeps other threads out. Code that
/// knows that nothing reads the cell any more can take its content out.
pub(crate) struct WriteOnce<T>(UnsafeCell<Option<T>>);

// SAFETY: to read and to set takes the interpreter's lock as a token; free-threaded builds are refused
// at import. Test: tests/boundary/test_agent_id.py, reads from several threads.
unsafe impl<T: Send + Sync> Sync for WriteOnce<T> {}

impl<T> WriteOnce<T> {
    pub(crate) const fn new(content: Option<T>) -> Self {
        Self(UnsafeCell::new(content))
    }

    #[inline]
    pub(crate) fn get<'a>(&'a self, _py: Python<'a>) -> Option<&'a T> {
        // SAFETY: the content stays there, unchanged, for as long as anything reads it.
        unsafe { (*self.0.get()).as_ref() }
    }

    /// Sets the content, or returns it if there is one already.
    #[inline]
    pub(crate) fn set(&self, py: Python<'_>, content: T) -> Result<(), T> {
        if self.get(py).is_some() {
            return Err(content);
        }
        // SAFETY: there is no content that could be read meanwhile, and other threads wait for the lock.
        unsafe { *self.0.get() = Some(content) };
        Ok(())
    }

    /// Takes the content out.
    ///
    /// # Safety
    ///
    /// There is no reference to the content.
    #[inline]
    pub(crate) unsafe fn take(&self, _py: Python<'_>) -> Option<T> {
        // SAFETY: the caller's.
        unsafe { (*self.0.get()).take() }
    }
}
