//! Whether the loggers of messages take INFO records, asked at the price of reading two numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Two loggers, with the answers that `logging` keeps of each.
pub(super) struct Quiet {
    loggers: [Logger; 2],
    info: Py<PyAny>,
}

/// `Logger.isEnabledFor` keeps its answers by level in a dict, which it empties whenever a level or
/// the manager changes: an answer found there is the answer. Else the logger itself is asked.
struct Logger {
    logger: Py<PyAny>,
    answers: Py<PyDict>,
    /// The version of the answers in which INFO was last found refused: as long as it is the same,
    /// they need not be looked into.
    refused_in: AtomicU64,
}

impl Quiet {
    pub(super) fn find(py: Python<'_>, names: [&str; 2]) -> PyResult<Self> {
        let logging = py.import("logging")?;
        let found = |name: &str| -> PyResult<Logger> {
            let logger = logging.call_method1("getLogger", (name,))?;
            let answers = logger.getattr("_cache")?.cast_into::<PyDict>()?.unbind();
            Ok(Logger { logger: logger.unbind(), answers, refused_in: AtomicU64::new(NEVER) })
        };
        Ok(Self {
            loggers: [found(names[0])?, found(names[1])?],
            info: logging.getattr(intern!(py, "INFO"))?.unbind(),
        })
    }

    /// Whether both loggers refuse INFO records.
    pub(super) fn holds(&self, py: Python<'_>) -> PyResult<bool> {
        for one in &self.loggers {
            let version = version(&one.answers);
            if version != NEVER && version == one.refused_in.load(Ordering::Relaxed) {
                continue;
            }
            // SAFETY: both are live references. Hashing and comparing an int runs no Python; what is
            // found is only compared.
            let answer =
                unsafe { ffi::PyDict_GetItemWithError(one.answers.as_ptr(), self.info.as_ptr()) };
            // SAFETY: a constant of the interpreter.
            if answer == unsafe { ffi::Py_False() } {
                one.refused_in.store(version, Ordering::Relaxed);
                continue;
            }
            // Not asked before, or not refused: the logger itself says.
            let is_enabled = intern!(py, "isEnabledFor");
            if one.logger.bind(py).call_method1(is_enabled, (&self.info,))?.is_truthy()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// No version of a dict.
const NEVER: u64 = 0;

/// A number that no dict has had before, after each change of this one. From 3.14 on dicts have none.
#[cfg(not(Py_3_14))]
#[allow(deprecated, reason = "it goes with 3.14, which does without")]
fn version(dict: &Py<PyDict>) -> u64 {
    // SAFETY: a live dict; a number of its struct is read.
    unsafe { (*dict.as_ptr().cast::<ffi::PyDictObject>()).ma_version_tag }
}

#[cfg(Py_3_14)]
fn version(_dict: &Py<PyDict>) -> u64 {
    NEVER
}
