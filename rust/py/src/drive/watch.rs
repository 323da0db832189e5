//! Whoever looks at a message on the short cut: the log of events, or a tracer.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::request::Request;
use crate::message_context::MessageContext;

/// The `ferrogen._runtime.watch.Watch` of a message, if somebody looks at it.
pub(super) struct Watch(Option<Py<PyAny>>);

impl Watch {
    pub(super) const NOBODY: Self = Self(None);

    /// Reports that a message is handed over. Called in the sender's context.
    pub(super) fn over(host: &Bound<'_, PyAny>, request: &Request) -> PyResult<Self> {
        let py = host.py();
        let about = (&request.message, &request.sender, &request.to);
        Ok(Self(Some(host.call_method1(intern!(py, "watch"), about)?.unbind())))
    }

    /// Reports that the handler is about to begin. Called in its context.
    #[inline]
    pub(super) fn begin(&self, context: &Bound<'_, MessageContext>) -> PyResult<()> {
        let Some(watch) = &self.0 else { return Ok(()) };
        watch.bind(context.py()).call_method1(intern!(context.py(), "begin"), (context,))?;
        Ok(())
    }

    /// Reports how the handler has ended, and returns that.
    #[inline]
    pub(super) fn end<'py>(
        &self,
        py: Python<'py>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(watch) = &self.0 else { return result };
        match &result {
            Ok(answer) => watch.call_method1(py, intern!(py, "answered"), (answer,))?,
            Err(error) => watch.call_method1(py, intern!(py, "failed"), (error.value(py),))?,
        };
        result
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}
