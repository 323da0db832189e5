//! Core errors as Python exceptions: one table, one conversion.

use ferrogen_core::CoreError;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Turns a core error into the exception that Python sees.
pub(crate) fn raised(error: CoreError) -> PyErr {
    let text = match error {
        CoreError::SubscriptionExists => {
            return PyValueError::new_err("Subscription already exists");
        }
        CoreError::SubscriptionMissing => {
            return PyValueError::new_err("Subscription does not exist");
        }
        CoreError::TicketNotOpen
        | CoreError::DeliveryNotOpen
        | CoreError::AgentMissing
        | CoreError::AgentExists
        | CoreError::WrongStage => error.to_string(),
    };
    PyRuntimeError::new_err(text)
}

/// The exception of an error that goes on, with its traceback: before 3.12 an error has that beside the exception.
#[cold]
pub(crate) fn exception<'py>(py: Python<'py>, error: &PyErr) -> Bound<'py, PyBaseException> {
    error.clone_ref(py).into_value(py).into_bound(py)
}
