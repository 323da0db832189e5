//! Core errors as Python exceptions: one table, one conversion.

use ferrogen_core::CoreError;
use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyValueError};

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
