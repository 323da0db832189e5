//! The task in which a handler believes it runs: a real `asyncio.Task`, initialised when touched.
//!
//! A handler that never suspends, and never asks which task it is in, needs no more than an object
//! that is the current task. So the object is allocated without running `Task.__init__`; the first
//! time anybody reads an attribute of it, or the handler suspends, it is initialised, with the
//! handler's [`Handling`] as its coroutine. From then on it is a task like any other.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

use super::handling::Handling;

static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
/// Where in the object the reference to its [`Handling`] lies, for as long as it is asleep.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Where in the object `asyncio.Task` keeps its coroutine. A method that is called on the class,
/// past the attributes that wake a task, takes it for granted that there is one.
static COROUTINE: AtomicUsize = AtomicUsize::new(0);

/// The class of delivery tasks.
pub(crate) fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    let class = CLASS.get_or_try_init(py, || make(py))?;
    Ok(class.bind(py))
}

fn make(py: Python<'_>) -> PyResult<Py<PyType>> {
    let task = py.import("asyncio")?.getattr("Task")?.cast_into::<PyType>()?;
    let members = PyDict::new(py);
    members.set_item("__slots__", ("_handling",))?;
    members.set_item("__module__", "ferrogen._core")?;
    members.set_item("__doc__", "The task of a handler; initialised when it is first needed.")?;
    let made = py.get_type::<PyType>().call1(("DeliveryTask", (&task,), members))?;
    let made = made.cast_into::<PyType>()?;
    let raw = made.as_type_ptr();
    // SAFETY: both types are alive. A slot of a class whose base has none begins where the base's
    // struct ends, which is checked below against what the class itself says.
    unsafe {
        let offset = (*task.as_type_ptr()).tp_basicsize;
        OFFSET.store(usize::try_from(offset)?, Ordering::Relaxed);
        check_offset(py, &made)?;
        COROUTINE.store(find_coroutine(py, &task)?, Ordering::Relaxed);
        // From here on only the functions of this file reach the slot.
        made.delattr("_handling")?;
        // The class is ours and has no instances, so nothing has looked at its slots yet. Nor will
        // they change: that could only come from a subclass, or from an attribute set on the class.
        (*raw).tp_getattro = Some(getattro);
        (*(*raw).tp_as_async).am_await = Some(iterate);
        (*raw).tp_iter = Some(iterate);
        (*raw).tp_repr = Some(repr);
        (*raw).tp_flags &= !ffi::Py_TPFLAGS_BASETYPE;
        (*raw).tp_flags |= ffi::Py_TPFLAGS_IMMUTABLETYPE;
    }
    Ok(made.unbind())
}

/// Writes a reference where the slot is thought to be and reads it back by its name.
unsafe fn check_offset(py: Python<'_>, class: &Bound<'_, PyType>) -> PyResult<()> {
    let probe = allocate(py, class)?;
    let mark = PyString::new(py, "mark").into_any();
    // SAFETY: the object has just been allocated, zeroed, with room for the slot at its end.
    unsafe { *slot(&probe) = mark.clone().into_ptr() };
    if class.getattr("_handling")?.call_method1("__get__", (&probe,))?.is(&mark) {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "this Python lays out subclasses of asyncio.Task in an unknown way",
    ))
}

/// Makes a task of a known coroutine, on a loop that goes nowhere, and looks where it keeps it.
fn find_coroutine(py: Python<'_>, class: &Bound<'_, PyType>) -> PyResult<usize> {
    let source = c"
class Nowhere:
    def get_debug(self):
        return False

    def call_soon(self, *args, **kwargs):
        pass

async def known():
    pass

coroutine = known()
";
    let probe = PyModule::from_code(py, source, c"probe.py", c"ferrogen_probe")?;
    let coroutine = probe.getattr("coroutine")?;
    let keywords = PyDict::new(py);
    keywords.set_item("loop", probe.getattr("Nowhere")?.call0()?)?;
    keywords.set_item("name", "probe")?; // the names that are counted belong to the program
    let task = class.call((&coroutine,), Some(&keywords))?;
    task.setattr("_log_destroy_pending", false)?;
    // SAFETY: the struct of a task is `tp_basicsize` bytes long, and only read.
    let found = unsafe {
        let size = usize::try_from((*class.as_type_ptr()).tp_basicsize)?;
        let fields = task.as_ptr().cast::<*mut ffi::PyObject>();
        (2..size / size_of::<usize>()).find(|&index| *fields.add(index) == coroutine.as_ptr())
    };
    drop(task);
    coroutine.call_method0("close")?;
    found.map(|index| index * size_of::<usize>()).ok_or_else(|| {
        PyRuntimeError::new_err("this Python keeps the coroutine of a task in no known place")
    })
}

/// Allocates a task without initialising it.
fn allocate<'py>(py: Python<'py>, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let raw = class.as_type_ptr();
    // SAFETY: the class is a heap type made from Python; its allocator returns a zeroed object that
    // every function of `asyncio.Task` takes for one not yet initialised.
    unsafe {
        let alloc = (*raw).tp_alloc.expect("a class made from Python has an allocator");
        Bound::from_owned_ptr_or_err(py, alloc(raw, 0))
    }
}

unsafe fn slot(task: &Bound<'_, PyAny>) -> *mut *mut ffi::PyObject {
    // SAFETY: the caller has a delivery task; the offset was checked when the class was made.
    unsafe { task.as_ptr().byte_add(OFFSET.load(Ordering::Relaxed)).cast() }
}

/// Makes a task that is asleep until its handling or anybody else needs it.
pub(super) fn asleep<'py>(
    py: Python<'py>,
    handling: &Bound<'py, Handling>,
) -> PyResult<Bound<'py, PyAny>> {
    let task = allocate(py, class(py)?)?;
    // SAFETY: a delivery task, fresh: slot and coroutine are empty. The class drops what is in
    // them, and `Task.__init__` the coroutine that it finds.
    unsafe {
        *slot(&task) = handling.clone().into_any().into_ptr();
        *task.as_ptr().byte_add(COROUTINE.load(Ordering::Relaxed)).cast() =
            handling.clone().into_any().into_ptr();
    }
    Ok(task)
}

/// Whether the task still sleeps.
pub(super) fn is_asleep(task: &Bound<'_, PyAny>) -> bool {
    // SAFETY: called with delivery tasks only.
    unsafe { !(*slot(task)).is_null() }
}

/// Initialises a task that is still asleep. Should that fail, it sleeps on.
pub(super) fn wake(task: &Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: called with delivery tasks only. The slot is emptied before anything else runs.
    let handling = unsafe {
        let place = slot(task);
        let handling = Bound::from_owned_ptr_or_opt(task.py(), *place);
        *place = std::ptr::null_mut();
        handling
    };
    let Some(handling) = handling else { return Ok(()) };
    Handling::become_coroutine_of(handling.cast::<Handling>()?, task).inspect_err(|_| {
        // Half initialised as it is now, it would complain of never having been finished.
        let _ = task.setattr(intern!(task.py(), "_log_destroy_pending"), false);
        // SAFETY: as above; nobody else fills the slot.
        unsafe { *slot(task) = handling.into_ptr() }
    })
}

/// Awaits the task, for which the interpreter asks for no attribute.
unsafe extern "C" fn iterate(task: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: a slot of the class is called with one of its instances, attached. The class it
    // inherits from has the slots that are passed on to.
    unsafe { awake(task, |inherited| (*(*inherited).tp_as_async).am_await) }
}

/// Shows the task, for which `str` asks for no attribute.
unsafe extern "C" fn repr(task: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as in `iterate`.
    unsafe { awake(task, |inherited| (*inherited).tp_repr) }
}

/// Wakes the task and passes a call on to the class it inherits from.
unsafe fn awake(
    task: *mut ffi::PyObject,
    slot: unsafe fn(*mut ffi::PyTypeObject) -> Option<ffi::unaryfunc>,
) -> *mut ffi::PyObject {
    // SAFETY: the caller has an instance of the class, and is attached.
    unsafe {
        let woken = Python::attach_unchecked(|py| {
            wake(&Bound::from_borrowed_ptr(py, task)).map_err(|error| error.restore(py)).is_ok()
        });
        match slot((*ffi::Py_TYPE(task)).tp_base) {
            Some(inherited) if woken => inherited(task),
            _ => std::ptr::null_mut(),
        }
    }
}

/// Reads an attribute, which wakes the task, unless the answer needs none of its state.
unsafe extern "C" fn getattro(
    task: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: a slot of the class is called with one of its instances and a str, attached.
    unsafe {
        let woken = Python::attach_unchecked(|py| {
            let task = Bound::from_borrowed_ptr(py, task);
            if !is_asleep(&task) || !needs_state(&Bound::from_borrowed_ptr(py, name)) {
                return true;
            }
            wake(&task).map_err(|error| error.restore(py)).is_ok()
        });
        if woken { ffi::PyObject_GenericGetAttr(task, name) } else { std::ptr::null_mut() }
    }
}

/// Whether an attribute is more than its class can tell: all but `__dunders__`.
fn needs_state(name: &Bound<'_, PyAny>) -> bool {
    match name.cast::<PyString>() {
        Ok(name) => !name.to_str().is_ok_and(|text| text.starts_with("__")),
        Err(_) => true,
    }
}
