//! The current task of an event loop, as asyncio keeps it, read and set for the time of a handler.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use self::slot::Slot;

/// Exchanges the current task of an event loop, and restores it when dropped.
pub(crate) struct CurrentTask<'a, 'py> {
    slot: Slot<'a, 'py>,
    is_entered: bool,
    /// The current task before `enter`.
    pub(crate) before: Option<Bound<'py, PyAny>>,
}

impl<'a, 'py> CurrentTask<'a, 'py> {
    #[inline]
    pub(crate) fn new(event_loop: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Self { slot: Slot::of(event_loop)?, is_entered: false, before: None })
    }

    /// Sets the current task.
    #[inline(always)]
    pub(crate) fn enter(&mut self, task: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
        self.before = self.slot.exchange(task)?;
        self.is_entered = true;
        Ok(())
    }

    pub(crate) fn is_entered(&self) -> bool {
        self.is_entered
    }

    /// Restores the current task.
    #[inline(always)]
    pub(crate) fn leave(&mut self) {
        if self.is_entered {
            self.restore();
        }
    }

    fn restore(&mut self) {
        self.is_entered = false;
        if let Err(error) = self.slot.restore(self.before.take().as_ref()) {
            error.write_unraisable(self.slot.event_loop.py(), None);
        }
    }
}

impl Drop for CurrentTask<'_, '_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.leave();
    }
}

/// The current task of an event loop.
pub(crate) fn get<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    Slot::of(event_loop)?.current()
}

/// Whether an event loop is the running one of this thread. Before 3.12 a current task proves it: to ask for
/// the running loop makes a system call there.
pub(crate) fn is_entered(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(Slot::of(event_loop)?.has_current()? || is_running(event_loop)?)
}

/// Whether an event loop is the running one of this thread.
pub(crate) fn is_running(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = event_loop.py();
    let get = GET.get_or_try_init(py, || {
        PyResult::Ok(py.import("asyncio.events")?.getattr("_get_running_loop")?.unbind())
    })?;
    Ok(get.bind(py).call0()?.is(event_loop))
}

/// From 3.12 on, a function of asyncio exchanges the current task.
#[cfg(Py_3_12)]
mod slot {
    use pyo3::exceptions::PyKeyError;
    use pyo3::prelude::*;
    use pyo3::sync::PyOnceLock;

    static SWAP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

    #[cold]
    fn is_absent(py: Python<'_>, error: &PyErr) -> bool {
        error.is_instance_of::<PyKeyError>(py)
    }

    pub(crate) struct Slot<'a, 'py> {
        pub(crate) event_loop: &'a Bound<'py, PyAny>,
        swap: &'a Bound<'py, PyAny>,
    }

    impl<'a, 'py> Slot<'a, 'py> {
        #[inline]
        pub(crate) fn of(event_loop: &'a Bound<'py, PyAny>) -> PyResult<Self> {
            let py = event_loop.py();
            let swap = SWAP.get_or_try_init(py, || {
                let function = py.import("_asyncio")?.getattr("_swap_current_task")?;
                PyResult::Ok(function.unbind())
            })?;
            Ok(Self { event_loop, swap: swap.bind(py) })
        }

        /// Sets the current task and returns the previous one.
        #[inline]
        pub(crate) fn exchange(
            &self,
            task: Option<&Bound<'py, PyAny>>,
        ) -> PyResult<Option<Bound<'py, PyAny>>> {
            match self.swap.call1((self.event_loop, task)) {
                Ok(before) => Ok(if before.is_none() { None } else { Some(before) }),
                // 3.12 refuses to remove a task where there is none.
                Err(error) if task.is_none() && is_absent(self.event_loop.py(), &error) => Ok(None),
                Err(error) => Err(error),
            }
        }

        /// Sets the current task.
        #[inline]
        pub(crate) fn restore(&self, before: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
            self.exchange(before).map(|_| ())
        }

        /// The current task.
        pub(crate) fn current(&self) -> PyResult<Option<Bound<'py, PyAny>>> {
            static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let py = self.event_loop.py();
            let get = GET.get_or_try_init(py, || {
                PyResult::Ok(py.import("_asyncio")?.getattr("current_task")?.unbind())
            })?;
            let task = get.bind(py).call1((self.event_loop,))?;
            Ok((!task.is_none()).then_some(task))
        }

        /// Whether there is a current task; false where that cannot be known quickly.
        #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as before 3.12")]
        pub(crate) fn has_current(&self) -> PyResult<bool> {
            Ok(false)
        }
    }
}

/// Before 3.12, asyncio keeps the current tasks in a dict by event loop.
#[cfg(not(Py_3_12))]
mod slot {
    use std::ffi::c_int;
    use std::ptr::null_mut;

    use pyo3::exceptions::PyRuntimeError;
    use pyo3::ffi;
    use pyo3::prelude::*;
    use pyo3::sync::PyOnceLock;
    use pyo3::types::PyDict;

    unsafe extern "C" {
        fn _PyDict_GetItem_KnownHash(
            dict: *mut ffi::PyObject,
            key: *mut ffi::PyObject,
            hash: ffi::Py_hash_t,
        ) -> *mut ffi::PyObject;
        fn _PyDict_SetItem_KnownHash(
            dict: *mut ffi::PyObject,
            key: *mut ffi::PyObject,
            item: *mut ffi::PyObject,
            hash: ffi::Py_hash_t,
        ) -> c_int;
        fn _PyDict_DelItem_KnownHash(
            dict: *mut ffi::PyObject,
            key: *mut ffi::PyObject,
            hash: ffi::Py_hash_t,
        ) -> c_int;
    }

    static TABLE: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

    pub(crate) struct Slot<'a, 'py> {
        pub(crate) event_loop: &'a Bound<'py, PyAny>,
        table: &'a Bound<'py, PyDict>,
        hash: ffi::Py_hash_t,
    }

    impl<'a, 'py> Slot<'a, 'py> {
        #[inline]
        pub(crate) fn of(event_loop: &'a Bound<'py, PyAny>) -> PyResult<Self> {
            let py = event_loop.py();
            let table = TABLE.get_or_try_init(py, || {
                let table = py.import("_asyncio")?.getattr("_current_tasks")?;
                let known = table.cast_into::<PyDict>().map_err(|_| {
                    PyRuntimeError::new_err(
                        "this Python keeps asyncio's current tasks in no known place",
                    )
                })?;
                PyResult::Ok(known.unbind())
            })?;
            // SAFETY: a live reference.
            let hash = unsafe { ffi::PyObject_Hash(event_loop.as_ptr()) };
            if hash == -1 {
                return Err(PyErr::fetch(py));
            }
            Ok(Self { event_loop, table: table.bind(py), hash })
        }

        /// Sets the current task and returns the previous one.
        #[inline]
        pub(crate) fn exchange(
            &self,
            task: Option<&Bound<'py, PyAny>>,
        ) -> PyResult<Option<Bound<'py, PyAny>>> {
            let before = self.current()?;
            self.restore(task)?;
            Ok(before)
        }

        /// Sets the current task.
        #[inline]
        pub(crate) fn restore(&self, before: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
            if before.is_none() && self.is_empty()? {
                return Ok(());
            }
            let (table, key) = (self.table.as_ptr(), self.event_loop.as_ptr());
            // SAFETY: live references, a dict, and the hash of its key.
            let done = unsafe {
                match before {
                    Some(task) => _PyDict_SetItem_KnownHash(table, key, task.as_ptr(), self.hash),
                    None => _PyDict_DelItem_KnownHash(table, key, self.hash),
                }
            };
            if done == 0 { Ok(()) } else { Err(PyErr::fetch(self.table.py())) }
        }

        /// Whether there is a current task; false where that cannot be known quickly.
        pub(crate) fn has_current(&self) -> PyResult<bool> {
            self.current().map(|task| task.is_some())
        }

        #[cold]
        fn is_empty(&self) -> PyResult<bool> {
            self.current().map(|task| task.is_none())
        }

        /// The current task.
        #[inline]
        pub(crate) fn current(&self) -> PyResult<Option<Bound<'py, PyAny>>> {
            let py = self.table.py();
            let (table, key) = (self.table.as_ptr(), self.event_loop.as_ptr());
            // SAFETY: live references, a dict, and the hash of its key. What is found is borrowed, and
            // null means that nothing is there, or that an exception is set.
            let found = unsafe {
                // There is seldom more than one loop. The first is found without looking it up.
                let (mut place, mut first, mut found) = (0, null_mut(), null_mut());
                ffi::PyDict_Next(table, &raw mut place, &raw mut first, &raw mut found);
                if first != key {
                    found = _PyDict_GetItem_KnownHash(table, key, self.hash);
                }
                Bound::from_borrowed_ptr_or_opt(py, found)
            };
            match found {
                None => PyErr::take(py).map_or(Ok(None), Err),
                found => Ok(found),
            }
        }
    }
}
