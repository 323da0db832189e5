//! Chains: what a message inherits from the handler that sends it, through its context variables.
//!
//! A chain exists only where something is to be inherited: a deadline, a limit of hops, or a way to cancel it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ferrogen_core::Time;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::agents::{now, running_loop};
use super::engine::Engine;
use super::messages::Request;
use crate::interpreter::context::value_of;
use crate::python;

/// Whether messages may have chains. One flag for all runtimes: a chain goes through several.
static ARE_USED: AtomicBool = AtomicBool::new(false);

/// Whether messages may have chains: whether to look for one.
#[inline]
pub(super) fn are_used() -> bool {
    ARE_USED.load(Ordering::Relaxed)
}

/// Lets messages inherit chains from here on.
pub(super) fn use_chains() {
    ARE_USED.store(true, Ordering::Relaxed);
}

/// What the messages of a chain have in common: it can be cancelled.
pub(super) struct Root {
    pub(super) number: u64,
    pub(super) is_cancelled: AtomicBool,
}

/// How many messages led to this one.
struct Hops {
    most: u32,
    count: u32,
    /// The agent whose handler sent this message; `None` from outside.
    sender: Option<Py<PyAny>>,
    before: Option<Py<Chain>>,
}

/// One message of a chain. Its handlers have it in their contexts.
#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(crate) struct Chain {
    root: Option<Arc<Root>>,
    pub(super) deadline: Option<Time>,
    hops: Option<Hops>,
}

#[pymethods]
impl Chain {
    /// A chain that can be cancelled, and that continues another one.
    #[new]
    fn new(py: Python<'_>, before: Option<&Bound<'_, Self>>) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        use_chains();
        let number = MADE.fetch_add(1, Ordering::Relaxed) + 1;
        let root = Some(Arc::new(Root { number, is_cancelled: AtomicBool::new(false) }));
        let before = before.map(Bound::get);
        let hops = before.and_then(|before| before.hops.as_ref()).map(|hops| hops.clone_ref(py));
        Self { root, deadline: before.and_then(|before| before.deadline), hops }
    }

    /// Identifies what can be cancelled together.
    #[getter]
    fn number(&self) -> Option<u64> {
        self.root.as_ref().map(|root| root.number)
    }

    #[getter]
    pub(super) fn is_cancelled(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.is_cancelled.load(Ordering::Relaxed))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(hops) = &self.hops else { return Ok(()) };
        visit.call(&hops.sender)?;
        visit.call(&hops.before)
    }
}

impl Chain {
    pub(super) fn root(&self) -> Option<Arc<Root>> {
        self.root.clone()
    }
}

impl Hops {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        let sender = self.sender.as_ref().map(|sender| sender.clone_ref(py));
        let before = self.before.as_ref().map(|before| before.clone_ref(py));
        Self { most: self.most, count: self.count, sender, before }
    }

    /// The agents that have sent the messages up to this one.
    fn path<'a>(&'a self, py: Python<'a>) -> Vec<&'a Py<PyAny>> {
        let before = |hops: &&'a Self| hops.before.as_ref()?.bind(py).get().hops.as_ref();
        let hops = std::iter::successors(Some(self), before);
        let mut path: Vec<_> = hops.filter_map(|hops| hops.sender.as_ref()).collect();
        path.reverse();
        path
    }
}

impl Engine {
    /// The chain of a message that is sent now. `None` if it has and inherits nothing.
    #[inline]
    pub(super) fn chain(&self, py: Python<'_>, request: &Request) -> PyResult<Option<Py<Chain>>> {
        if !are_used() && !request.options.begins_chain() {
            return Ok(None);
        }
        self.find_chain(py, request)
    }

    #[cold]
    fn find_chain(&self, py: Python<'_>, request: &Request) -> PyResult<Option<Py<Chain>>> {
        let options = &request.options;
        if let Some(chain) = options.chain() {
            return Ok(Some(chain.clone_ref(py))); // gathered
        }
        use_chains();
        let inherited = value_of(python::chain_context(py)?)?;
        let inherited = inherited.and_then(|one| one.cast_into::<Chain>().ok());
        let before = inherited.as_ref().map(Bound::get);
        if let Some(before) = before {
            self.check_chain(py, before, request)?;
        }
        let own = match options.timeout() {
            Some(timeout) => now(&running_loop(py)?)?.checked_add(timeout),
            None => None,
        };
        let hops = self.count_hop(py, request, inherited.as_ref())?;
        if own.is_none() && hops.is_none() {
            return Ok(inherited.map(Bound::unbind));
        }
        let deadline = before.and_then(|before| before.deadline).into_iter().chain(own).min();
        let root = before.and_then(|before| before.root.clone());
        Py::new(py, Chain { root, deadline, hops }).map(Some)
    }

    /// Counts a message in its chain, and refuses one too many.
    fn count_hop(
        &self,
        py: Python<'_>,
        request: &Request,
        inherited: Option<&Bound<'_, Chain>>,
    ) -> PyResult<Option<Hops>> {
        let before = inherited.and_then(|one| one.get().hops.as_ref());
        let own = request.options.max_hops().or(self.max_hops.filter(|_| before.is_none()));
        if before.is_none() && own.is_none() {
            return Ok(None);
        }
        let count = before.map_or(0, |before| before.count) + 1;
        let most = own.map(|own| own.saturating_add(count - 1));
        let most = before.map(|before| before.most).into_iter().chain(most).min();
        let most = most.unwrap_or(u32::MAX);
        let sender = value_of(python::message_handler_context(py)?)?.map(Bound::unbind);
        let before = inherited.map(|one| one.clone().unbind());
        let hops = Hops { most, count, sender, before };
        if count <= most {
            return Ok(Some(hops));
        }
        let (message, to) = (&request.message, &request.to);
        let about = (message, &request.sender, to, &request.message_id, hops.path(py), most);
        let error = self.host.bind(py).call_method1(intern!(py, "hop_limit"), about)?;
        Err(PyErr::from_value(error))
    }
}
