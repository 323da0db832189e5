//! How much of the interpreter's recursion limit is left, which no function of its own tells.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyFunction;

/// How many of the first numbers of a thread's state are looked through. Every version's is longer.
const LOOKED_AT: usize = 32;

type Numbers = [i32; LOOKED_AT];

/// Where in a thread's state the interpreter counts calls.
#[derive(Clone, Copy)]
enum Counter {
    /// 3.11 and later: calls that are left.
    Left(usize),
    /// 3.10: calls that stand inside one another.
    Deep(usize),
}

static COUNTER: PyOnceLock<Option<Counter>> = PyOnceLock::new();

fn numbers() -> Numbers {
    // SAFETY: attached, so there is a state, which begins with at least so many bytes of plain data.
    unsafe { ffi::PyThreadState_Get().cast::<Numbers>().read_unaligned() }
}

/// Looks which number changes by one with each call. `None` if there is none, or more than one.
fn find(py: Python<'_>) -> PyResult<Option<Counter>> {
    let source = c"
def at_depth(depth, look):
    if depth:
        at_depth(depth - 1, look)
    else:
        look()
";
    let probe = PyModule::from_code(py, source, c"probe.py", c"ferrogen_headroom_probe")?;
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

/// Whether at least half of the recursion limit is left. Where that cannot be told, it is not.
pub(super) fn is_ample(py: Python<'_>) -> bool {
    let Ok(Some(counter)) = COUNTER.get_or_try_init(py, || find(py)) else { return false };
    // SAFETY: attached.
    let limit = unsafe { ffi::Py_GetRecursionLimit() };
    let left = match *counter {
        Counter::Left(index) => numbers()[index],
        Counter::Deep(index) => limit - numbers()[index],
    };
    left >= limit / 2
}
