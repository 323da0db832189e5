//! The thread and the process that code runs in, as numbers that cost next to nothing to read.

use std::ffi::c_ulong;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How often this process is a fork of one that had the module loaded.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// A thread of a process: a forked process has the state of its parent, but not its event loop.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ThreadOfProcess {
    thread: c_ulong,
    forks: u32,
}

impl ThreadOfProcess {
    #[inline]
    pub(crate) fn current() -> Self {
        // SAFETY: asks for a number, which every thread has.
        let thread = unsafe { ffi::PyThread_get_thread_ident() };
        Self { thread, forks: FORKS.load(Ordering::Relaxed) }
    }
}

#[pyfunction]
fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn watch_forks(py: Python<'_>) -> PyResult<()> {
    let keywords = PyDict::new(py);
    keywords.set_item("after_in_child", wrap_pyfunction!(count_fork, py)?)?;
    let os = py.import("os")?;
    // Windows cannot fork.
    if os.hasattr("register_at_fork")? {
        os.call_method("register_at_fork", (), Some(&keywords))?;
    }
    Ok(())
}
