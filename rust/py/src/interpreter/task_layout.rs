//! The memory of an `asyncio.Task`: compared to find out whether a task is as it was, and three of its fields
//! exchanged while a handler runs inline.
//!
//! Python has no API for either. The layout is found by an experiment at import (`probe_task.py`); a build of
//! Python in which the experiment fails is refused.

use std::ptr::null_mut;

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyType};

/// The most words that a snapshot has. Tasks have 20 to 30.
const WORDS: usize = 48;

/// The words of an object's header: reference count and type.
const HEADER: usize = 2;

struct Layout {
    class: Py<PyType>,
    /// How many words before the object belong to its state (from 3.12 on: dict and weak references).
    before: usize,
    /// The words of the object, its header included.
    size: usize,
    /// Which words of a snapshot are compared: all bits set, or none.
    mask: [usize; WORDS],
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

/// The words before an object in which the garbage collector keeps its list.
const COLLECTOR: usize = 2;

fn layout(py: Python<'_>) -> &Layout {
    LAYOUT.get(py).expect("the layout is found at import")
}

/// The class of tasks.
pub(crate) fn class(py: Python<'_>) -> &Bound<'_, PyType> {
    layout(py).class.bind(py)
}

/// The state of a task, as words.
pub(crate) struct Snapshot([usize; WORDS]);

impl Snapshot {
    /// Takes a snapshot of a task.
    pub(crate) fn of(task: &Bound<'_, PyAny>) -> Self {
        let layout = layout(task.py());
        let mut words = [0; WORDS];
        // SAFETY: a task of the class whose layout it is.
        unsafe { read_words(task, layout.before, layout.size, &mut words) };
        for (word, mask) in words.iter_mut().zip(layout.mask) {
            *word &= mask;
        }
        Self(words)
    }

    /// Whether the task is as it was.
    #[inline]
    pub(crate) fn matches(&self, task: &Bound<'_, PyAny>) -> bool {
        let layout = layout(task.py());
        let raw = task.as_ptr().cast::<usize>();
        let count = layout.before + layout.size - HEADER;
        // SAFETY: a task of the class whose layout it is; its words are only read.
        unsafe {
            let object = raw.add(HEADER);
            let mut difference = 0;
            for index in 0..layout.before {
                let word = *raw.sub(COLLECTOR + layout.before).add(index);
                difference |= (word & layout.mask[index]) ^ self.0[index];
            }
            for index in layout.before..count {
                let word = *object.add(index - layout.before);
                difference |= (word & layout.mask[index]) ^ self.0[index];
            }
            difference == 0
        }
    }
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
pub(crate) fn exchange(
    task: &Bound<'_, PyAny>,
    field: Field,
    value: Option<Py<PyAny>>,
) -> Option<Py<PyAny>> {
    let py = task.py();
    let offset = layout(py).offset(field);
    let value = value.map_or(null_mut(), Py::into_ptr);
    // SAFETY: a task of the class whose layout it is. The field owns its reference, or is null; what was
    // in it now belongs to the caller. Test: tests/semantics/test_task_state.py.
    unsafe {
        let place = task.as_ptr().cast::<*mut ffi::PyObject>().add(offset);
        let before = std::ptr::replace(place, value);
        Bound::from_owned_ptr_or_opt(py, before).map(Bound::unbind)
    }
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
    found.map(|_| ()).map_err(|error| {
        let refused = PyImportError::new_err(
            "ferrogen cannot use the tasks of this build of Python (it needs CPython 3.10 to 3.14 with \
             asyncio's accelerator module): the reason is above",
        );
        refused.set_cause(py, Some(error));
        refused
    })
}

fn probe(py: Python<'_>) -> PyResult<Layout> {
    let class = py.import("_asyncio")?.getattr("Task")?.cast_into::<PyType>()?;
    let raw = class.as_type_ptr();
    // SAFETY: a type; its size and flags are only read.
    let (bytes, flags) = unsafe { ((*raw).tp_basicsize, (*raw).tp_flags) };
    // Bits 3 and 4 from 3.12 on, 4 in 3.11: the dict (or the weak references) lie before the object.
    let before = if flags & (0b11 << 3) != 0 && cfg!(Py_3_11) { 2 } else { 0 };
    let size = usize::try_from(bytes)? / size_of::<usize>();
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
    type Found = (usize, usize, usize, usize, usize, Vec<usize>);
    let (waiter, context, event_loop, log_flag, bit, links): Found = found.extract()?;
    let mut mask = [usize::MAX; WORDS];
    for link in links {
        mask[link] = 0;
    }
    let offset = |index: usize| {
        index.checked_sub(before).map(|index| index + HEADER).ok_or_else(|| {
            PyImportError::new_err("asyncio.Task keeps its fields before the object")
        })
    };
    let (waiter, context) = (offset(waiter)?, offset(context)?);
    let event_loop = offset(event_loop)?;
    let log_flag = (offset(log_flag)?, bit);
    Ok(Layout { class: class.unbind(), before, size, mask, waiter, context, event_loop, log_flag })
}
