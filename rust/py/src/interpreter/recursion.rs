//! How deep calls may still nest: the interpreter's recursion limit, and the stack left in this thread.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyFunction;

use crate::stack;

/// How many of the first numbers of a thread state are compared. The state is longer in every version.
const LOOKED_AT: usize = 32;

type Numbers = [i32; LOOKED_AT];

/// Where the interpreter counts calls in a thread state.
#[derive(Clone, Copy)]
enum Counter {
    /// 3.11 and later: calls that are left.
    Left(usize),
    /// 3.10: calls in progress.
    Deep(usize),
}

static COUNTER: PyOnceLock<Option<Counter>> = PyOnceLock::new();

fn numbers() -> Numbers {
    // SAFETY: attached, so there is a state, which begins with at least so many bytes of plain data.
    unsafe { ffi::PyThreadState_Get().cast::<Numbers>().read_unaligned() }
}

/// Finds the number that changes by one with each call. `None` unless there is exactly one.
fn find(py: Python<'_>) -> PyResult<Option<Counter>> {
    let source = c"
def at_depth(depth, look):
    if depth:
        at_depth(depth - 1, look)
    else:
        look()
";
    let probe = PyModule::from_code(py, source, c"probe.py", c"ferrogen_recursion_probe")?;
    let at_depth = probe.getattr("at_depth")?.cast_into::<PyFunction>()?;
    let seen = |depth: i32| -> PyResult<Numbers> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let look = pyo3::types::PyCFunction::new_closure(py, None, None, move |_, _| {
            let _ = sender.send(numbers());
        })?;
        at_depth.call1((depth, look))?;
        Ok(receiver.try_recv().expect("the probe looks once"))
    };
    let (shallow, deep, deeper) = (seen(0)?, seen(7)?, seen(20)?);
    let mut found = (0..LOOKED_AT).filter_map(|index| {
        let changes = [deep, deeper].map(|numbers| shallow[index].wrapping_sub(numbers[index]));
        match changes {
            [7, 20] => Some(Counter::Left(index)),
            [-7, -20] => Some(Counter::Deep(index)),
            _ => None,
        }
    });
    Ok(found.next().filter(|_| found.next().is_none()))
}

/// Whether at least half of the recursion limit is left; false where that is unknown.
fn is_limit_ample(py: Python<'_>) -> bool {
    let Ok(Some(counter)) = COUNTER.get_or_try_init(py, || find(py)) else { return false };
    // SAFETY: attached.
    let limit = unsafe { ffi::Py_GetRecursionLimit() };
    let left = match *counter {
        Counter::Left(index) => numbers()[index],
        Counter::Deep(index) => limit - numbers()[index],
    };
    left >= limit / 2
}

/// The stack that a handler and the calls around it may need.
const RESERVE: usize = 96 * 1024;

/// Whether there is stack for one more handler that runs inside its caller.
#[inline]
pub(crate) fn has_stack() -> bool {
    stack::is_left(RESERVE)
}

/// Whether handlers may nest deeper than a few levels.
pub(crate) fn is_ample(py: Python<'_>) -> bool {
    is_limit_ample(py)
}
