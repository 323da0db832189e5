//! Whether the loggers of messages take INFO records, asked at the price of two dict look-ups.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Two loggers, with the answers that `logging` keeps of each.
///
/// `Logger.isEnabledFor` keeps its answers by level in a dict, which it empties whenever a level or
/// the manager changes: an answer found there is the answer. Else the logger itself is asked.
pub(super) struct Quiet {
    loggers: [(Py<PyAny>, Py<PyDict>); 2],
    info: Py<PyAny>,
}

impl Quiet {
    pub(super) fn find(py: Python<'_>, names: [&str; 2]) -> PyResult<Self> {
        let logging = py.import("logging")?;
        let found = |name: &str| -> PyResult<(Py<PyAny>, Py<PyDict>)> {
            let logger = logging.call_method1("getLogger", (name,))?;
            let answers = logger.getattr("_cache")?.cast_into::<PyDict>()?;
            Ok((logger.unbind(), answers.unbind()))
        };
        Ok(Self {
            loggers: [found(names[0])?, found(names[1])?],
            info: logging.getattr(intern!(py, "INFO"))?.unbind(),
        })
    }

    /// Whether both loggers refuse INFO records.
    pub(super) fn holds(&self, py: Python<'_>) -> PyResult<bool> {
        for (logger, answers) in &self.loggers {
            // SAFETY: both are live references. Hashing and comparing an int runs no Python; what is
            // found is only compared.
            let answer =
                unsafe { ffi::PyDict_GetItemWithError(answers.as_ptr(), self.info.as_ptr()) };
            // SAFETY: a constant of the interpreter.
            if answer == unsafe { ffi::Py_False() } {
                continue;
            }
            // Not asked before, or not refused: the logger itself says.
            let asked = logger.bind(py).call_method1(intern!(py, "isEnabledFor"), (&self.info,))?;
            if asked.is_truthy()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
