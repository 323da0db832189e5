//! Free lists: freed objects of a class are kept and reused, which saves most of what an object costs.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::sync::PyOnceLock;

use super::gil_mutex::GilMutex;

/// How many objects of a class are kept, at the most.
const PLACES: usize = 128;

/// A class whose objects are kept; those of its subclasses are not.
pub(crate) trait Recycled: PyClass<Frozen = True> + Sync {
    fn free_list() -> &'static FreeList;

    /// Releases its content. Returns whether nothing is left to drop.
    fn clear(&self, unreferenced: Unreferenced<'_>) -> bool;
}

/// The proof that there is no reference to an object.
pub(crate) struct Unreferenced<'py>(Python<'py>);

impl<'py> Unreferenced<'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        self.0
    }
}

pub(crate) struct FreeList {
    free: GilMutex<Vec<Free>>,
    class: AtomicPtr<ffi::PyTypeObject>,
    /// What frees an object that is not kept.
    dealloc: PyOnceLock<ffi::destructor>,
}

/// An object without references, its content still in place.
struct Free(NonNull<ffi::PyObject>);

// SAFETY: used only by code that holds the interpreter's lock.
unsafe impl Send for Free {}

impl FreeList {
    pub(crate) const fn new() -> Self {
        Self {
            free: GilMutex::new(Vec::new()),
            class: AtomicPtr::new(std::ptr::null_mut()),
            dealloc: PyOnceLock::new(),
        }
    }

    /// An object of the class, cleared, if one is kept.
    pub(crate) fn take<T: Recycled>(py: Python<'_>) -> Option<Bound<'_, T>> {
        let Free(object) = T::free_list().free.with(py, Vec::pop)?;
        let raw = object.as_ptr();
        // SAFETY: `dealloc` put it here: a valid object of the class except for its reference count, which
        // is set to one here, and untracked by the garbage collector. Test: tests/boundary/test_free_lists.py.
        unsafe {
            ffi::PyObject_Init(raw, ffi::Py_TYPE(raw));
            ffi::PyObject_GC_Track(raw.cast());
            Some(Bound::from_owned_ptr(py, raw).cast_into_unchecked())
        }
    }
}

/// Gives a class a free list. Called once, before it has instances.
pub(crate) fn recycle<T: Recycled>(py: Python<'_>) {
    let class = py.get_type::<T>();
    // SAFETY: a heap type of this module, whose slot is written to before it has instances.
    let before = unsafe { (*class.as_type_ptr()).tp_dealloc.replace(dealloc::<T>) };
    let before = before.expect("a class of the binding frees its objects");
    // SAFETY: a class.
    let is_tracked = unsafe { ffi::PyType_IS_GC(class.as_type_ptr()) } != 0;
    assert!(is_tracked, "objects that are used again are tracked by the garbage collector");
    T::free_list().class.store(class.as_type_ptr(), Ordering::Relaxed);
    let _ = T::free_list().dealloc.set(py, before);
}

unsafe extern "C" fn dealloc<T: Recycled>(this: *mut ffi::PyObject) {
    // SAFETY: the slot is called, attached, with an object of the class without references, which the
    // garbage collector must not visit again. Each object owns a reference to its class, released here,
    // since `PyObject_Init` takes a new one.
    unsafe {
        let py = Python::assume_attached();
        let list = T::free_list();
        let class = ffi::Py_TYPE(this);
        let is_kept = class == list.class.load(Ordering::Relaxed) && {
            ffi::PyObject_GC_UnTrack(this.cast());
            Borrowed::from_ptr(py, this).cast_unchecked::<T>().get().clear(Unreferenced(py))
                && !has_weak_references(this)
        };
        if is_kept {
            let is_kept = list.free.with(py, |free| {
                let has_room = free.len() < PLACES;
                if has_room {
                    free.extend(NonNull::new(this).map(Free));
                }
                has_room
            });
            if is_kept {
                ffi::Py_DECREF(class.cast());
                return;
            }
        }
        let before = list.dealloc.get(py).expect("it is set with the slot");
        before(this);
    }
}

/// Whether the caller has the only reference to an object, weak ones included. Its class supports weak
/// references.
pub(crate) fn is_unique<T>(object: &Bound<'_, T>) -> bool {
    let raw = object.as_ptr();
    // SAFETY: a live object of such a class.
    unsafe { ffi::Py_REFCNT(raw) == 1 && !has_weak_references(raw) }
}

/// Whether there are weak references to an object.
///
/// # Safety
///
/// Its class has a list of weak references, and its memory is still there.
pub(crate) unsafe fn has_weak_references(raw: *mut ffi::PyObject) -> bool {
    // SAFETY: the class has the offset of the list, negative where the interpreter keeps the list
    // before the object.
    unsafe {
        let offset = (*ffi::Py_TYPE(raw)).tp_weaklistoffset;
        !raw.byte_offset(offset).cast::<*mut ffi::PyObject>().read().is_null()
    }
}

/// How many references there are to an object.
#[inline]
pub(crate) fn references_to(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: a live object.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}
