//! The memory of an `asyncio.Task`: compared to find out whether a task is as it was, and three of its fields
//! exchanged while a handler runs inline.
//!
//! Python has no API for either. The layout is found by an experiment at import (`probe_task.py`); a build of
//! Python in which the experiment fails is refused.

use std::ptr::{from_ref, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyType};

/// The most words that a snapshot has. Tasks have 20 to 30.
const WORDS: usize = 48;

const _: () = assert!(size_of::<Option<Py<PyAny>>>() == size_of::<*mut ffi::PyObject>());

/// The words of an object's header: reference count and type.
const HEADER: usize = 2;

struct Layout {
    class: Py<PyType>,
    /// The words that are compared, as ranges: the first word, in words from the start of the object, and the
    /// number of words.
    ranges: Vec<(isize, usize)>,
    /// Where, in words from the start of the object, the future is that the task waits for.
    waiter: usize,
    /// And its context, and its event loop.
    context: usize,
    event_loop: usize,
    /// And the flag that lets a pending task complain when it is destroyed, with its bit.
    log_flag: (usize, usize),
}

impl Layout {
    #[inline]
    fn offset(&self, field: Field) -> usize {
        match field {
            Field::Waiter => self.waiter,
            Field::Context => self.context,
            Field::Loop => self.event_loop,
        }
    }
}

static LAYOUT: PyOnceLock<Layout> = PyOnceLock::new();

/// [`LAYOUT`], read without asking whether it is set.
static FOUND: AtomicPtr<Layout> = AtomicPtr::new(null_mut());

/// The words before an object in which the garbage collector keeps its list.
const COLLECTOR: usize = 2;

#[inline]
fn layout(_py: Python<'_>) -> &'static Layout {
    // SAFETY: it is found at import, before there is a task of ours, and never freed.
    unsafe { &*FOUND.load(Ordering::Relaxed) }
}

/// The class of tasks.
pub(crate) fn class(py: Python<'_>) -> &Bound<'_, PyType> {
    LAYOUT.get(py).expect("the layout is found at import").class.bind(py)
}

/// The state of a task, as words.
pub(crate) struct Snapshot([usize; WORDS]);

impl Snapshot {
    /// Takes a snapshot of a task.
    pub(crate) fn of(task: &Bound<'_, PyAny>) -> Self {
        let mut words = [0; WORDS];
        let mut next = 0;
        for &(first, count) in &layout(task.py()).ranges {
            words[next..next + count].copy_from_slice(slice_of(task, first, count));
            next += count;
        }
        Self(words)
    }

    /// Whether the task is as it was.
    #[inline(always)]
    pub(crate) fn matches(&self, task: &Bound<'_, PyAny>) -> bool {
        let mut rest = self.0.as_slice();
        layout(task.py()).ranges.iter().all(|&(first, count)| {
            let Some((before, after)) = rest.split_at_checked(count) else { return false };
            rest = after;
            before == slice_of(task, first, count)
        })
    }
}

/// Some words of a task.
#[inline]
fn slice_of<'a>(task: &'a Bound<'_, PyAny>, first: isize, count: usize) -> &'a [usize] {
    // SAFETY: a range of the layout lies within a task, or within what lies before it. Nothing else runs
    // while the words are read: the caller holds the interpreter's lock.
    unsafe { std::slice::from_raw_parts(task.as_ptr().cast::<usize>().offset(first), count) }
}

/// Reads the state of an object: `before` words before the collector's, then all after the header.
unsafe fn read_words(
    task: &Bound<'_, PyAny>,
    before: usize,
    size: usize,
    words: &mut [usize; WORDS],
) {
    let raw = task.as_ptr().cast::<usize>();
    // SAFETY: the caller's: the object has so many words before and after its start.
    unsafe {
        for (index, word) in words.iter_mut().enumerate().take(before) {
            *word = *raw.sub(COLLECTOR + before).add(index);
        }
        for index in HEADER..size {
            words[before + index - HEADER] = *raw.add(index);
        }
    }
}

/// A field of a task that holds a reference or null.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    /// The future that it waits for.
    Waiter,
    /// Its context.
    Context,
    /// Its event loop.
    Loop,
}

/// Reads a field of a task.
pub(crate) fn read<'py>(task: &Bound<'py, PyAny>, field: Field) -> Option<Bound<'py, PyAny>> {
    let offset = layout(task.py()).offset(field);
    // SAFETY: a task of the class whose layout it is. The field holds a reference, or null.
    unsafe {
        let value = *task.as_ptr().cast::<*mut ffi::PyObject>().add(offset);
        Bound::from_borrowed_ptr_or_opt(task.py(), value)
    }
}

/// Exchanges a field of a task. The references move, so that no count changes.
#[inline]
pub(crate) fn exchange(task: &Bound<'_, PyAny>, field: Field, value: &mut Option<Py<PyAny>>) {
    let offset = layout(task.py()).offset(field);
    // SAFETY: a task of the class whose layout it is. The field owns its reference, or is null, and so does an
    // `Option<Py>`, which is as large as a pointer. Test: tests/semantics/test_task_state.py.
    unsafe {
        let place = task.as_ptr().cast::<*mut ffi::PyObject>().add(offset);
        std::ptr::swap(place.cast::<Option<Py<PyAny>>>(), value);
    }
}

/// Sets a field of a task.
pub(crate) fn set(task: &Bound<'_, PyAny>, field: Field, value: Py<PyAny>) {
    let mut value = Some(value);
    exchange(task, field, &mut value);
}

/// Toggles the flag by which a pending task complains when it is destroyed: tasks that are idle do not.
#[inline]
pub(crate) fn toggle_log_flag(task: &Bound<'_, PyAny>) {
    let (offset, bit) = layout(task.py()).log_flag;
    // SAFETY: a task of the class whose layout it is; the word holds flags and numbers only.
    unsafe { *task.as_ptr().cast::<usize>().add(offset) ^= bit };
}

/// Finds the layout. Called once, at import.
pub(crate) fn find(py: Python<'_>) -> PyResult<()> {
    let found = LAYOUT.get_or_try_init(py, || probe(py));
    let store = |layout: &Layout| FOUND.store(from_ref(layout).cast_mut(), Ordering::Relaxed);
    found.map(store).map_err(|error| {
        let refused = PyImportError::new_err(
            "ferrogen cannot use the tasks of this build of Python (it needs CPython 3.10 to 3.14 with \
             asyncio's accelerator module): the reason is above",
        );
        refused.set_cause(py, Some(error));
        refused
    })
}

/// What the experiment finds: the words of four fields, the bit of the last, and the links.
type Found = (usize, usize, usize, usize, usize, Vec<usize>);

fn probe(py: Python<'_>) -> PyResult<Layout> {
    let class = py.import("_asyncio")?.getattr("Task")?.cast_into::<PyType>()?;
    let raw = class.as_type_ptr();
    // SAFETY: a type; its size and flags are only read.
    let (bytes, flags) = unsafe { ((*raw).tp_basicsize, (*raw).tp_flags) };
    // Bits 3 and 4 from 3.12 on, 4 in 3.11: the dict (or the weak references) lie before the object.
    let before = if flags & (0b11 << 3) != 0 && cfg!(Py_3_11) { 2 } else { 0 };
    // Bit 2, from 3.13 on: attributes lie after the object, behind a word that counts them.
    let inline = usize::from(cfg!(Py_3_13) && flags & (1 << 2) != 0);
    let size = usize::try_from(bytes)? / size_of::<usize>() + inline;
    if before + size - HEADER > WORDS {
        return Err(PyImportError::new_err("asyncio.Task is larger than expected"));
    }
    let words = PyCFunction::new_closure(py, None, None, move |arguments, _| {
        let task = arguments.get_item(0)?;
        let mut words = [0; WORDS];
        // SAFETY: the probe passes tasks.
        unsafe { read_words(&task, before, size, &mut words) };
        PyResult::Ok(words[..before + size - HEADER].to_vec())
    })?;
    let probe = PyModule::from_code(
        py,
        &std::ffi::CString::new(include_str!("probe_task.py"))?,
        c"probe_task.py",
        c"ferrogen_task_probe",
    )?;
    let found = probe.call_method1("find_in_thread", (words,))?;
    let (waiter, context, event_loop, log_flag, bit, links): Found = found.extract()?;
    let mut ranges: Vec<(isize, usize)> = Vec::new();
    for index in (0..before + size - HEADER).filter(|index| !links.contains(index)) {
        let place = if index < before {
            index.cast_signed() - (COLLECTOR + before).cast_signed()
        } else {
            (index - before + HEADER).cast_signed()
        };
        match ranges.last_mut() {
            Some((first, count)) if *first + count.cast_signed() == place => *count += 1,
            _ => ranges.push((place, 1)),
        }
    }
    let offset = |index: usize| {
        index.checked_sub(before).map(|index| index + HEADER).ok_or_else(|| {
            PyImportError::new_err("asyncio.Task keeps its fields before the object")
        })
    };
    let (waiter, context) = (offset(waiter)?, offset(context)?);
    let event_loop = offset(event_loop)?;
    let log_flag = (offset(log_flag)?, bit);
    Ok(Layout { class: class.unbind(), ranges, waiter, context, event_loop, log_flag })
}
