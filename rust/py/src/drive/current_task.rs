//! The current task of an event loop, as asyncio keeps it, read and set for the time of a handler.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// How this interpreter lets the current task be exchanged.
enum Exchange {
    /// 3.12 and later: a function that sets one and returns the one before.
    Swap(Py<PyAny>),
    /// 3.10 and 3.11: the dict from loops to tasks that asyncio itself reads.
    Table(Py<PyDict>),
}

static EXCHANGE: PyOnceLock<Exchange> = PyOnceLock::new();

fn exchange(py: Python<'_>) -> PyResult<&'static Exchange> {
    EXCHANGE.get_or_try_init(py, || {
        let native = py.import("_asyncio")?;
        if let Some(swap) = native.getattr_opt("_swap_current_task")? {
            return Ok(Exchange::Swap(swap.unbind()));
        }
        let table = native.getattr("_current_tasks")?;
        let table = table.cast_into::<PyDict>().map_err(|_| {
            PyRuntimeError::new_err("this Python keeps asyncio's current tasks in no known place")
        })?;
        Ok(Exchange::Table(table.unbind()))
    })
}

/// Makes a task the current one of an event loop and returns the one before, if there was one.
fn enter<'py>(
    event_loop: &Bound<'py, PyAny>,
    task: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match exchange(event_loop.py())? {
        Exchange::Swap(function) => swap(function, event_loop, task),
        Exchange::Table(table) => {
            let table = table.bind(event_loop.py());
            let before = table.get_item(event_loop)?;
            table.set_item(event_loop, task)?;
            Ok(before)
        }
    }
}

/// Makes the task that was the current one before so again.
fn leave<'py>(event_loop: &Bound<'py, PyAny>, before: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
    let py = event_loop.py();
    match (exchange(py)?, before) {
        (Exchange::Swap(function), Some(task)) => swap(function, event_loop, task).map(|_| ()),
        (Exchange::Swap(function), None) => {
            swap(function, event_loop, py.None().bind(py)).map(|_| ())
        }
        (Exchange::Table(table), Some(task)) => table.bind(py).set_item(event_loop, task),
        (Exchange::Table(table), None) => table.bind(py).del_item(event_loop),
    }
}

fn swap<'py>(
    function: &Py<PyAny>,
    event_loop: &Bound<'py, PyAny>,
    task: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let before = function.bind(event_loop.py()).call1((event_loop, task))?;
    Ok(if before.is_none() { None } else { Some(before) })
}

/// A task is the current one of its loop for as long as this lives.
pub(super) struct AsCurrent<'a, 'py> {
    event_loop: &'a Bound<'py, PyAny>,
    /// The one that was so before.
    pub(super) before: Option<Bound<'py, PyAny>>,
}

impl<'a, 'py> AsCurrent<'a, 'py> {
    pub(super) fn enter(
        event_loop: &'a Bound<'py, PyAny>,
        task: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let before = enter(event_loop, task)?;
        Ok(Self { event_loop, before })
    }
}

impl Drop for AsCurrent<'_, '_> {
    fn drop(&mut self) {
        if let Err(error) = leave(self.event_loop, self.before.as_ref()) {
            error.write_unraisable(self.event_loop.py(), None);
        }
    }
}

/// Whether an event loop is the running one of this thread, told by its current task where that is
/// a look-up: 3.10 and 3.11 make a system call each time they are asked for the running loop.
pub(super) fn is_entered(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Exchange::Table(table) = exchange(event_loop.py())?
        && table.bind(event_loop.py()).contains(event_loop)?
    {
        return Ok(true);
    }
    is_running(event_loop)
}

/// Whether an event loop is the running one of this thread.
pub(super) fn is_running(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = event_loop.py();
    let get = GET.get_or_try_init(py, || {
        PyResult::Ok(py.import("asyncio.events")?.getattr("_get_running_loop")?.unbind())
    })?;
    Ok(get.bind(py).call0()?.is(event_loop))
}
