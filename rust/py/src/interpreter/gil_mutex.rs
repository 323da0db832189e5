//! `GilMutex`: a mutex for code that holds the interpreter's lock.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use pyo3::Python;
use pyo3::gc::PyTraverseError;

/// A mutex without atomic operations: the interpreter's lock already keeps other threads out.
///
/// It guards against re-entrance: Python that runs, or a last reference that is dropped, while the
/// content is held (B1). Re-entrance panics, where a mutex would deadlock.
#[derive(Default)]
pub(crate) struct GilMutex<T> {
    is_held: Cell<bool>,
    content: UnsafeCell<T>,
}

// SAFETY: to lock it takes the interpreter's lock as a token, and the guard does not outlive the
// token; free-threaded builds are refused at import. Should the thread of the token release the lock
// while it holds the guard, other threads find the content held, and panic.
// Test: tests/boundary/test_reentrancy.py.
unsafe impl<T: Send> Sync for GilMutex<T> {}

impl<T> GilMutex<T> {
    pub(crate) const fn new(content: T) -> Self {
        Self { is_held: Cell::new(false), content: UnsafeCell::new(content) }
    }

    /// Holds the content. Nothing may run Python, nor drop what may be the last reference to
    /// something, before the guard is dropped.
    pub(crate) fn lock<'a, 'py>(&'a self, _py: Python<'py>) -> Held<'a, 'py, T> {
        if self.is_held.replace(true) {
            refuse();
        }
        Held { mutex: self, attached: PhantomData }
    }

    /// Holds the content while a closure runs, under the same condition. Should the closure panic, the
    /// content is held forever.
    #[inline(always)]
    pub(crate) fn with<R>(&self, _py: Python<'_>, use_it: impl FnOnce(&mut T) -> R) -> R {
        if self.is_held.replace(true) {
            refuse();
        }
        // SAFETY: the flag says that this closure alone has the content.
        let result = use_it(unsafe { &mut *self.content.get() });
        self.is_held.set(false);
        result
    }

    /// The content, without the mutex.
    pub(crate) fn into_inner(self) -> T {
        self.content.into_inner()
    }

    /// The content of a mutex that is not shared.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.content.get_mut()
    }

    /// Visits the content for the garbage collector, which may start while the content is held: what is
    /// not visited is not collected.
    pub(crate) fn visit(
        &self,
        look: impl FnOnce(&T) -> Result<(), PyTraverseError>,
    ) -> Result<(), PyTraverseError> {
        if self.is_held.get() {
            return Ok(());
        }
        // SAFETY: the collector has the interpreter's lock and runs no Python while it visits, so the
        // content is not locked meanwhile.
        look(unsafe { &*self.content.get() })
    }
}

#[cold]
fn refuse() -> ! {
    panic!("re-entered while the content is held (B1)");
}

/// The content of a [`GilMutex`], held until this is dropped.
pub(crate) struct Held<'a, 'py, T> {
    mutex: &'a GilMutex<T>,
    attached: PhantomData<Python<'py>>,
}

impl<T> Deref for Held<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the flag says that this guard alone has the content.
        unsafe { &*self.mutex.content.get() }
    }
}

impl<T> DerefMut for Held<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.mutex.content.get() }
    }
}

impl<T> Drop for Held<'_, '_, T> {
    fn drop(&mut self) {
        self.mutex.is_held.set(false);
    }
}
