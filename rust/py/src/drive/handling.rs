//! A handler that is being run: first inline, in its sender's step, and then, should it suspend,
//! as the coroutine of a task.

use pyo3::exceptions::PyRuntimeError;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use super::coroutine::{Sent, Step, as_method, next, send, throw};
use super::drive::Drive;
use super::ending::Ending;
use super::entered::Entered;
use super::future::Outcome;
use super::gil_mutex::GilMutex;
use super::seats::Seat;
use super::send::Send;
use crate::letting_go::let_go;
use crate::message_context::MessageContext;

/// What the first step yielded, and the task has yet to see.
enum Pending {
    /// A future whose `await` yielded it.
    Future(Py<PyAny>),
    /// Nothing: the handler gave others a turn. `early` if the task's step was scheduled before.
    Turn { early: bool },
    /// Something that no task can wait for.
    Other(Py<PyAny>),
}

impl Pending {
    fn of(yielded: Bound<'_, PyAny>, early: bool) -> PyResult<Self> {
        if yielded.is_none() {
            return Ok(Self::Turn { early });
        }
        let blocking = yielded.getattr_opt(intern!(yielded.py(), "_asyncio_future_blocking"))?;
        match blocking {
            Some(blocking) if blocking.is_truthy()? => Ok(Self::Future(yielded.unbind())),
            _ => Ok(Self::Other(yielded.unbind())),
        }
    }
}

struct Inner {
    coroutine: Option<Py<PyAny>>,
    pending: Option<Pending>,
    context: Option<Py<PyAny>>,
    event_loop: Option<Py<PyAny>>,
    ending: Option<Ending>,
    /// What its sender is to hear, who will ask.
    outcome: Option<Outcome>,
}

#[pyclass(frozen, weakref, module = "ferrogen._core")]
pub(super) struct Handling {
    inner: GilMutex<Inner>,
}

impl Handling {
    pub(super) fn new() -> Self {
        Self {
            inner: GilMutex::new(Inner {
                coroutine: None,
                pending: None,
                context: None,
                event_loop: None,
                ending: None,
                outcome: None,
            }),
        }
    }

    /// Says where the handler runs, before its first step.
    #[inline]
    pub(super) fn begin(&self, context: &Bound<'_, PyAny>, event_loop: &Bound<'_, PyAny>) {
        let py = context.py();
        let before = self.inner.with(py, |inner| {
            if inner.event_loop.is_none() {
                inner.event_loop = Some(event_loop.clone().unbind());
            }
            inner.context.replace(context.clone().unbind())
        });
        let_go(py, before);
    }

    /// Notes that the handler ended in its first step. Returns the context that it ran in.
    #[inline]
    pub(super) fn ended_inline<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.inner.with(py, |inner| inner.context.take()).map(|context| context.into_bound(py))
    }

    /// Notes that the handler suspended in its first step, and what is to be done when it ends.
    /// `early` says that its task was touched, and so scheduled, before.
    pub(super) fn suspend(
        &self,
        coroutine: Bound<'_, PyAny>,
        yielded: Bound<'_, PyAny>,
        early: bool,
        ending: Ending,
    ) -> PyResult<()> {
        let py = coroutine.py();
        let pending = Pending::of(yielded, early)?;
        let before = self.inner.with(py, |inner| {
            let coroutine = inner.coroutine.replace(coroutine.unbind());
            (coroutine, inner.pending.replace(pending), inner.ending.replace(ending))
        });
        drop(before);
        Ok(())
    }

    /// Notes what a handler that was parked waits for now.
    pub(super) fn wait_again(&self, yielded: Bound<'_, PyAny>, early: bool) -> PyResult<()> {
        let py = yielded.py();
        let pending = Pending::of(yielded, early)?;
        let before = self.inner.with(py, |inner| inner.pending.replace(pending));
        drop(before);
        Ok(())
    }

    /// The task, the coroutine and the context of a handler that is to be resumed.
    pub(super) fn parked<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let bound = |one: &Py<PyAny>| one.bind(py).clone();
        self.inner.with(py, |inner| {
            let task = inner.ending.as_ref()?.task(py);
            Some((task, inner.coroutine.as_ref().map(bound)?, inner.context.as_ref().map(bound)?))
        })
    }

    /// What its sender is to hear, if it has ended.
    pub(super) fn take_outcome(&self, py: Python<'_>) -> Option<Outcome> {
        self.inner.with(py, |inner| inner.outcome.take())
    }

    /// The seat of its next step, if its drive is open.
    pub(super) fn seat<'py>(&self, py: Python<'py>) -> Option<Seat<'py>> {
        let drive = self.inner.with(py, |inner| inner.ending.as_ref().map(|one| one.drive(py)))?;
        Seat::in_this_turn(&drive)
    }

    /// What it was told, if its sender waits for a turn.
    pub(super) fn told<'py>(&self, py: Python<'py>) -> Option<Bound<'py, MessageContext>> {
        self.inner.with(py, |inner| inner.ending.as_ref().and_then(|ending| ending.told(py)))
    }

    /// From here on, its sender waits for a future.
    pub(super) fn answer_to(&self, send: &Bound<'_, Send>) {
        let answer = send.clone().unbind();
        let before = self
            .inner
            .with(send.py(), |inner| inner.ending.as_mut().map(|ending| ending.wait_for(answer)));
        drop(before);
    }

    /// What is to be done at its end, and the context that it ran in. It has ended.
    pub(super) fn take_ending<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(Ending, Option<Bound<'py, PyAny>>)> {
        let (ending, context, held) = self.inner.with(py, |inner| {
            let held = (inner.coroutine.take(), inner.pending.take());
            (inner.ending.take(), inner.context.take(), held)
        });
        drop(held);
        Some((ending?, context.map(|context| context.into_bound(py))))
    }

    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.inner.with(py, |inner| inner.event_loop.as_ref().map(|one| one.bind(py).clone()))
    }

    /// Has the handler, which is parked, resumed in the next turn of the event loop.
    pub(super) fn resume_soon(handling: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (handling.py(), handling.get());
        let drive = this.inner.with(py, |inner| inner.ending.as_ref().map(|one| one.drive(py)));
        match (drive, this.event_loop(py)) {
            (Some(drive), Some(event_loop)) => Drive::resume_soon(&drive, handling, &event_loop),
            _ => Ok(()),
        }
    }

    /// Initialises a task with this handling as its coroutine.
    pub(super) fn become_coroutine_of(
        handling: &Bound<'_, Self>,
        task: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = handling.py();
        let (context, event_loop) = handling.get().inner.with(py, |inner| {
            let cloned = |one: &Option<Py<PyAny>>| one.as_ref().map(|one| one.clone_ref(py));
            (cloned(&inner.context), cloned(&inner.event_loop))
        });
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "loop"), event_loop)?;
        if py.version_info() >= (3, 11) {
            keywords.set_item(intern!(py, "context"), context)?;
        }
        let arguments = PyTuple::new(py, [task.clone(), handling.clone().into_any()])?;
        // The class's own, whatever `asyncio.Task` has been replaced with meanwhile.
        let init = task.get_type().getattr(intern!(py, "__init__"))?;
        init.call(arguments, Some(&keywords))?;
        Ok(())
    }
}

/// What a step of the task is to do.
enum Next<'py> {
    /// Wait for the future that the first step yielded.
    Wait(Bound<'py, PyAny>),
    /// Yield this and come again.
    Yield(Bound<'py, PyAny>),
    /// Step the handler.
    Resume(Bound<'py, PyAny>),
    /// There is no handler any more.
    Nothing,
}

impl Handling {
    fn advance<'py>(&self, py: Python<'py>) -> Next<'py> {
        let (coroutine, pending) = self.inner.with(py, |inner| {
            let coroutine = inner.coroutine.as_ref().map(|one| one.clone_ref(py));
            (coroutine, inner.pending.take())
        });
        let Some(coroutine) = coroutine else { return Next::Nothing };
        match pending {
            // What is done by now needs no waiting: the handler looks for itself.
            Some(Pending::Future(future)) if !is_done(future.bind(py)) => {
                Next::Wait(future.into_bound(py))
            }
            // A task that yields is stepped again after whatever was scheduled before it yielded.
            Some(Pending::Turn { early: true }) => Next::Yield(py.None().into_bound(py)),
            // The task will say, in the handler, that it cannot.
            Some(Pending::Other(thing)) => Next::Yield(thing.into_bound(py)),
            _ => Next::Resume(coroutine.into_bound(py)),
        }
    }

    /// Runs one step of the handler where its context variables are.
    fn in_context<'py>(&self, py: Python<'py>, step: impl FnOnce() -> Sent<'py>) -> Sent<'py> {
        // From 3.11 on the task runs in the handler's own context. Before, a task can only copy
        // one, which would lose what the handler sets after it was touched.
        if py.version_info() >= (3, 11) {
            return step();
        }
        let context =
            self.inner.with(py, |inner| inner.context.as_ref().map(|one| one.clone_ref(py)));
        match context {
            Some(context) => match Entered::enter(context.into_bound(py)) {
                Ok(_entered) => step(),
                Err(error) => Sent::Raised(error),
            },
            None => step(),
        }
    }

    /// Settles the delivery if this step was the handler's last.
    pub(super) fn conclude<'py>(&self, py: Python<'py>, sent: Sent<'py>) -> Sent<'py> {
        let outcome = match sent {
            Sent::Yielded(value) => return Sent::Yielded(value),
            Sent::Returned(value) => Ok(value),
            Sent::Raised(error) => Err(error),
        };
        let (ending, held) = self.inner.with(py, |inner| {
            // What a parked handler waited for is still here: nobody took it to wait for it.
            let held = (inner.coroutine.take(), inner.pending.take(), inner.context.take());
            (inner.ending.take(), held)
        });
        drop(held);
        let Some(ending) = ending else { return Sent::Returned(py.None().into_bound(py)) };
        match ending.tell(py, outcome) {
            Ok(outcome) => {
                let before =
                    self.inner.with(py, |inner| std::mem::replace(&mut inner.outcome, outcome));
                drop(before);
                Sent::Returned(py.None().into_bound(py))
            }
            Err(error) => Sent::Raised(error),
        }
    }
}

impl Step for Handling {
    fn entry() -> &'static PyOnceLock<ffi::iternextfunc> {
        static ENTRY: PyOnceLock<ffi::iternextfunc> = PyOnceLock::new();
        &ENTRY
    }

    fn step<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> Sent<'py> {
        let (py, handling) = (this.py(), this.get());
        match handling.advance(py) {
            Next::Wait(future) => wait_for(future),
            Next::Yield(thing) => Sent::Yielded(thing),
            Next::Resume(coroutine) => {
                let sent = handling.in_context(py, || send(&coroutine, value));
                handling.conclude(py, sent)
            }
            Next::Nothing => Sent::Returned(py.None().into_bound(py)),
        }
    }
}

#[pymethods]
impl Handling {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        next(slf)
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        as_method(Self::step(slf, value))
    }

    /// A task throws what its `cancel()` asks for.
    #[pyo3(signature = (error, _value = None, _traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        error: Bound<'_, PyAny>,
        _value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (py, handling) = (slf.py(), slf.get());
        match handling.advance(py) {
            // Cancelled before the first step of the task: it is the future that must be told, as
            // a task that waits for it would have told it.
            Next::Wait(future) => {
                let arguments = error.getattr(intern!(py, "args"))?.cast_into::<PyTuple>()?;
                if future.call_method1(intern!(py, "cancel"), arguments)?.is_truthy()? {
                    return as_method(wait_for(future));
                }
                handling.throw_in(py, &error)
            }
            Next::Yield(_) | Next::Resume(_) => handling.throw_in(py, &error),
            Next::Nothing => Err(PyErr::from_value(error)),
        }
    }

    pub(super) fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, handling) = (slf.py(), slf.get());
        if let Next::Nothing = handling.advance(py) {
            return Ok(());
        }
        handling.coroutine(py)?.call_method0(intern!(py, "close"))?;
        match handling.conclude(py, Sent::Raised(CancelledError::new_err(()))) {
            Sent::Raised(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// The handler's own coroutine, which `Task.get_stack()` looks into.
    #[getter]
    fn cr_frame(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_frame")
    }

    #[getter]
    fn cr_code(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_code")
    }

    #[getter]
    fn cr_running(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_running")
    }

    #[getter]
    fn cr_await(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.of_coroutine(py, "cr_await")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.inner.visit(|inner| {
            visit.call(&inner.coroutine)?;
            if let Some(Pending::Future(one) | Pending::Other(one)) = &inner.pending {
                visit.call(one)?;
            }
            visit.call(&inner.context)?;
            visit.call(&inner.event_loop)?;
            if let Some(outcome) = &inner.outcome {
                outcome.visit(&visit)?;
            }
            inner.ending.as_ref().map_or(Ok(()), |ending| ending.visit(&visit))
        })
    }
}

impl Handling {
    fn throw_in(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let coroutine = self.coroutine(py)?;
        let sent = self.in_context(py, || throw(&coroutine, error.as_any()));
        as_method(self.conclude(py, sent))
    }

    fn coroutine<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let coroutine =
            self.inner.with(py, |inner| inner.coroutine.as_ref().map(|one| one.clone_ref(py)));
        let coroutine = coroutine.map(|one| one.into_bound(py));
        coroutine.ok_or_else(|| PyRuntimeError::new_err("the handler has ended"))
    }

    fn of_coroutine(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        match self.coroutine(py) {
            Ok(coroutine) => Ok(coroutine.getattr(name)?.unbind()),
            Err(_) => Ok(py.None()),
        }
    }
}

fn is_done(future: &Bound<'_, PyAny>) -> bool {
    let done = future.call_method0(intern!(future.py(), "done"));
    done.and_then(|done| done.is_truthy()).unwrap_or(false)
}

/// Makes the task wait for a future that the handler's own `await` has yielded before.
fn wait_for(future: Bound<'_, PyAny>) -> Sent<'_> {
    match future.setattr(intern!(future.py(), "_asyncio_future_blocking"), true) {
        Ok(()) => Sent::Yielded(future),
        Err(error) => Sent::Raised(error),
    }
}
