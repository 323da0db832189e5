//! `Settled`: what is set once, and from then on only read.

use std::cell::UnsafeCell;

use pyo3::Python;

/// What a `OnceLock` is to threads, to those who hold the interpreter's lock, without atomic
/// operations. And whoever knows that nobody reads any more can take out what is in it.
pub(crate) struct Settled<T>(UnsafeCell<Option<T>>);

// SAFETY: to read and to set takes the interpreter's lock as a token; the extension does not declare
// itself free of that lock.
unsafe impl<T: Send + Sync> Sync for Settled<T> {}

impl<T> Settled<T> {
    pub(crate) const fn new(content: Option<T>) -> Self {
        Self(UnsafeCell::new(content))
    }

    #[inline]
    pub(crate) fn get<'a>(&'a self, _py: Python<'a>) -> Option<&'a T> {
        // SAFETY: what is there stays there, unchanged, for as long as anybody reads.
        unsafe { (*self.0.get()).as_ref() }
    }

    /// Sets it, or gives the content back if it is set.
    #[inline]
    pub(crate) fn set(&self, py: Python<'_>, content: T) -> Result<(), T> {
        if self.get(py).is_some() {
            return Err(content);
        }
        // SAFETY: nothing is there that anybody could be reading, and others wait for the lock.
        unsafe { *self.0.get() = Some(content) };
        Ok(())
    }

    /// Takes out what is there.
    ///
    /// # Safety
    ///
    /// Nobody has a reference to it.
    #[inline]
    pub(super) unsafe fn take(&self, _py: Python<'_>) -> Option<T> {
        // SAFETY: the caller's.
        unsafe { (*self.0.get()).take() }
    }
}
