//! Reading vectorcall arguments, where they are simple.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Puts the arguments in the order of the parameters. Returns `false` if there are more positional
/// arguments than `most_placed`, names that are not the interned ones, or duplicates.
///
/// # Safety
///
/// There are `placed` positional arguments, and then one for each of the names, a tuple or null.
#[inline]
pub(crate) unsafe fn arrange<const N: usize>(
    given: &mut [*mut ffi::PyObject; N],
    arguments: *const *mut ffi::PyObject,
    placed: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    most_placed: usize,
    known: impl FnOnce() -> [*mut ffi::PyObject; N],
) -> bool {
    let placed = placed.cast_unsigned();
    if placed > most_placed {
        return false;
    }
    // SAFETY: the caller's.
    unsafe {
        for (index, place) in given.iter_mut().enumerate().take(placed) {
            *place = *arguments.add(index);
        }
        if names.is_null() {
            return true;
        }
        let (known, values) = (known(), arguments.add(placed));
        for index in 0..ffi::PyTuple_GET_SIZE(names) {
            let name = ffi::PyTuple_GET_ITEM(names, index);
            match known.iter().position(|one| *one == name) {
                Some(place) if given[place].is_null() => given[place] = *values.offset(index),
                _ => return false,
            }
        }
    }
    true
}

/// The addresses of parameter names. Names in source code are interned, and so the same objects.
#[inline]
pub(crate) fn addresses<const N: usize>(
    names: [&Bound<'_, PyString>; N],
) -> [*mut ffi::PyObject; N] {
    names.map(Bound::as_ptr)
}
