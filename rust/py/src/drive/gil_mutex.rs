//! `GilMutex`: what a mutex is to threads, to those who hold the interpreter's lock.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use pyo3::Python;
use pyo3::gc::PyTraverseError;

/// A mutex without atomic operations: the interpreter's lock already keeps other threads out.
///
/// What is left to guard against is coming back: Python that runs, or a last reference that is
/// dropped, while the content is held (B1). That panics, where a mutex would wait for itself.
#[derive(Default)]
pub(crate) struct GilMutex<T> {
    is_held: Cell<bool>,
    content: UnsafeCell<T>,
}

// SAFETY: to lock it takes the interpreter's lock as a token, and the guard does not outlive the
// token; the extension does not declare itself free of that lock. Should the token's thread let
// others in while it holds the guard, they find it held.
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

    /// Holds the content for as long as a closure runs, which is bound by the same. Should it panic,
    /// the content is held for ever.
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

    /// The content, to who has the mutex alone.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.content.get_mut()
    }

    /// Shows the content to the garbage collector, which may start while it is held; what is not
    /// visited is not collected.
    pub(crate) fn visit(
        &self,
        look: impl FnOnce(&T) -> Result<(), PyTraverseError>,
    ) -> Result<(), PyTraverseError> {
        if self.is_held.get() {
            return Ok(());
        }
        // SAFETY: the collector has the interpreter's lock and runs no Python while it visits, so
        // nobody takes hold of the content meanwhile.
        look(unsafe { &*self.content.get() })
    }
}

#[cold]
fn refuse() -> ! {
    panic!("something has come back to what it holds");
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
