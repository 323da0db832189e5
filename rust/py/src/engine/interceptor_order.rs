//! The order of the intervention handlers: by their priority, then as in the user's list.

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::engine::Engine;

/// The order of a list of intervention handlers. It is the user's list, and may change at any time.
#[derive(Default)]
pub(super) struct InterceptorOrder {
    /// The list as it was when the order was found.
    seen: Vec<Py<PyAny>>,
    /// The positions in it; `None` while all priorities are equal.
    order: Option<Vec<usize>>,
}

impl InterceptorOrder {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.seen.iter().try_for_each(|one| visit.call(one))
    }
}

impl Engine {
    /// The intervention handler at a position of the order. `None` at its end.
    pub(super) fn interceptor<'py>(
        &self,
        py: Python<'py>,
        position: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let interceptors = self.interceptors.bind(py);
        let is_known = self.state.with(py, |state| {
            let seen = &state.interceptor_order.seen;
            seen.len() == interceptors.len()
                && interceptors.iter().zip(seen).all(|(one, seen)| one.is(seen))
        });
        if !is_known {
            self.order_interceptors(py)?;
        }
        let index = self.state.with(py, |state| match &state.interceptor_order.order {
            Some(order) => order.get(position).copied(),
            None => Some(position),
        });
        // An index out of range costs an exception.
        let index = index.filter(|index| *index < interceptors.len());
        Ok(index.and_then(|index| interceptors.get_item(index).ok()))
    }

    #[cold]
    fn order_interceptors(&self, py: Python<'_>) -> PyResult<()> {
        let seen: Vec<_> = self.interceptors.bind(py).iter().collect();
        let mut priorities = Vec::with_capacity(seen.len());
        for interceptor in &seen {
            let priority = match interceptor.getattr_opt(intern!(py, "priority"))? {
                Some(priority) => priority.extract::<i64>().map_err(|_| {
                    let text = "the priority of intervention handler {} must be a whole number";
                    let shown =
                        interceptor.repr().map_or_else(|_| "?".into(), |one| one.to_string());
                    PyTypeError::new_err(text.replace("{}", &shown))
                })?,
                None => 0,
            };
            priorities.push(priority);
        }
        let mut order: Vec<_> = (0..seen.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(priorities[*index]));
        let order = (!order.is_sorted()).then_some(order);
        let found = InterceptorOrder { seen: seen.into_iter().map(Bound::unbind).collect(), order };
        let before =
            self.state.with(py, |state| std::mem::replace(&mut state.interceptor_order, found));
        drop(before);
        Ok(())
    }
}
