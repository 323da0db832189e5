//! `GilCell`: state that only the holder of the interpreter lock touches, and never across Python.

use std::cell::UnsafeCell;

use pyo3::Python;

/// A cell whose content is lent out while the interpreter is attached.
///
/// It takes the place of a mutex on the path of every message, where its two atomic operations
/// would cost as much as the rest of the bookkeeping.
pub(super) struct GilCell<T>(UnsafeCell<T>);

// SAFETY: access goes through `with`, which wants the interpreter lock as a token; the extension
// does not declare itself free of the lock, so threads that hold a token exclude each other.
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(super) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Lends the content.
    ///
    /// # Safety
    ///
    /// `use_it` must not run Python, nor drop a reference that may be the last: either could come
    /// back here while the content is lent.
    pub(super) unsafe fn with<R>(&self, _py: Python<'_>, use_it: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the interpreter lock keeps other threads out; the caller keeps this one from
        // coming back.
        use_it(unsafe { &mut *self.0.get() })
    }

    /// Lends the content to the garbage collector, which runs no Python while it visits.
    pub(super) fn visit<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        // SAFETY: the collector runs with the interpreter lock held, and never inside `with`, which
        // makes no Python objects.
        look(unsafe { &*self.0.get() })
    }
}
