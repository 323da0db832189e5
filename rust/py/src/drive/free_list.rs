//! A free list: what a class of ours frees is kept, and handed out as its next object.
//!
//! It saves most of what an object costs: its memory, and the binding's ways of filling and freeing it.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::sync::PyOnceLock;

use super::gil_mutex::GilMutex;
use super::private::is_referred_to;

/// How many objects of a class are kept, at the most.
const PLACES: usize = 128;

/// A class whose objects are kept; those of its subclasses are not.
pub(crate) trait Recycled: PyClass<Frozen = True> + Sync {
    fn free_list() -> &'static FreeList;

    /// Lets go of what is in it. Returns whether nothing is left that dropping it would see to.
    ///
    /// # Safety
    ///
    /// Nobody refers to it.
    unsafe fn clear(&self, py: Python<'_>) -> bool;
}

pub(crate) struct FreeList {
    free: GilMutex<Vec<Free>>,
    class: AtomicPtr<ffi::PyTypeObject>,
    /// What frees an object that is not kept.
    dealloc: PyOnceLock<ffi::destructor>,
}

/// An object that nobody refers to, with its content in place.
struct Free(NonNull<ffi::PyObject>);

// SAFETY: it is touched only by who is attached.
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
        // SAFETY: `dealloc` put it here, an object of the class that is whole but for its count of
        // references, which this sets to one, and for the garbage collector, which did not know it.
        unsafe {
            ffi::PyObject_Init(raw, ffi::Py_TYPE(raw));
            ffi::PyObject_GC_Track(raw.cast());
            Some(Bound::from_owned_ptr(py, raw).cast_into_unchecked())
        }
    }
}

/// Has the objects of a class kept. Called once, before there are any.
pub(super) fn recycle<T: Recycled>(py: Python<'_>) {
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
    // SAFETY: the slot is called, attached, with an object of the class that nobody refers to any
    // more, and of which the garbage collector must not hear again. Each object owns a reference to its class,
    // given back here, since `PyObject_Init` takes a new one.
    unsafe {
        let py = Python::assume_attached();
        let list = T::free_list();
        let class = ffi::Py_TYPE(this);
        let is_kept = class == list.class.load(Ordering::Relaxed) && {
            ffi::PyObject_GC_UnTrack(this.cast());
            Borrowed::from_ptr(py, this).cast_unchecked::<T>().get().clear(py)
                && !is_referred_to(this)
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
