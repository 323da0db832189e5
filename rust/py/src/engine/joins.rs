//! Joins: handlers that await tasks, which await responses.
//!
//! A handler that awaits a task, a gather, or the calls of `request_all` and `stream` waits for the messages that
//! these send, as if it had sent them itself. That holds from its suspension to its resumption: a task that it does
//! not await is its own affair, and never part of a deadlock.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use ferrogen_core::DeliveryId;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use slotmap::{Key, KeyData, SecondaryMap};

use super::engine::Engine;
use super::send::Send;
use crate::interpreter::current_task;

/// How deep tasks that await tasks are followed.
const DEEPEST: usize = 16;

/// The tasks and gathered sends that suspended handlers await.
#[derive(Default)]
pub(super) struct Joins {
    /// The handler that awaits an object, by its address.
    by_object: HashMap<usize, DeliveryId>,
    of_handlers: SecondaryMap<DeliveryId, Vec<Py<PyAny>>>,
}

impl Joins {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.of_handlers.values().flatten().try_for_each(|object| visit.call(object))
    }
}

/// `asyncio.Task`, and the future that `asyncio.gather` returns.
fn classes(py: Python<'_>) -> PyResult<&'static [Py<PyType>; 2]> {
    static CLASSES: PyOnceLock<[Py<PyType>; 2]> = PyOnceLock::new();
    CLASSES.get_or_try_init(py, || {
        let module = py.import("asyncio.tasks")?;
        let class =
            |name: &str| PyResult::Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind());
        Ok([class("Task")?, class("_GatheringFuture")?])
    })
}

/// Whether what a handler has yielded is a task or a gather.
#[inline]
pub(super) fn is_joined(yielded: &Bound<'_, PyAny>) -> bool {
    let class = yielded.get_type();
    classes(yielded.py()).is_ok_and(|classes| classes.iter().any(|one| class.is(one)))
}

/// What a handler awaits.
#[derive(Default)]
struct Awaited<'py> {
    objects: Vec<Bound<'py, PyAny>>,
    sends: Vec<Bound<'py, Send>>,
}

impl<'py> Awaited<'py> {
    fn add(&mut self, object: &Bound<'py, PyAny>, depth: usize) -> PyResult<()> {
        let py = object.py();
        let [task, gathering] = classes(py)?;
        if let Ok(send) = object.cast_exact::<Send>() {
            self.sends.push(send.clone());
            self.objects.push(object.clone());
        } else if object.get_type().is(gathering) {
            for child in object.getattr(intern!(py, "_children"))?.try_iter()? {
                self.add(&child?, depth)?;
            }
        } else if object.get_type().is(task) {
            if depth == 0 {
                self.objects.push(object.clone());
            }
            let waiter = object.getattr(intern!(py, "_fut_waiter"))?;
            if depth < DEEPEST {
                self.add(&waiter, depth + 1)?;
            }
        }
        Ok(())
    }
}

impl Engine {
    /// A handler awaits these tasks, gathers or sends, and nothing else goes on in it before.
    #[cold]
    pub(super) fn await_all(
        engine: &Bound<'_, Self>,
        delivery: DeliveryId,
        objects: &[Bound<'_, PyAny>],
    ) -> PyResult<()> {
        let (py, this) = (engine.py(), engine.get());
        let mut awaited = Awaited::default();
        for object in objects {
            awaited.add(object, 0)?;
        }
        this.uses_joins.store(true, Ordering::Relaxed);
        this.end_join(py, delivery);
        this.books.with(py, |books| books.machine.begin_join(delivery));
        this.joins.with(py, |joins| {
            let addresses = awaited.objects.iter().map(|one| (one.as_ptr() as usize, delivery));
            joins.by_object.extend(addresses);
            let objects = awaited.objects.into_iter().map(Bound::unbind).collect();
            joins.of_handlers.insert(delivery, objects)
        });
        for send in awaited.sends {
            let Some((of, child)) = send.get().delivery(py) else { continue };
            if !of.is(engine) {
                continue;
            }
            let stuck = this.books.with(py, |books| books.machine.join(delivery, child));
            let Some((cycle, payload)) = stuck else { continue };
            let error = this.deadlock_error(py, &cycle, &payload.message(py))?;
            Self::refuse_delivery(engine, child, &payload, &error)?;
        }
        Ok(())
    }

    /// A handler is resumed, or it has ended.
    pub(super) fn end_join(&self, py: Python<'_>, delivery: DeliveryId) {
        let objects = self.joins.with(py, |joins| {
            let objects = joins.of_handlers.remove(delivery)?;
            for object in &objects {
                joins.by_object.remove(&(object.as_ptr() as usize));
            }
            Some(objects)
        });
        if objects.is_some() {
            self.books.with(py, |books| books.machine.end_join(delivery));
        }
    }

    /// The suspended handler that awaits a task or a gathered send.
    #[cold]
    pub(super) fn joined_by(&self, object: &Bound<'_, PyAny>) -> Option<DeliveryId> {
        let address = object.as_ptr() as usize;
        self.joins.with(object.py(), |joins| joins.by_object.get(&address).copied())
    }

    /// Begins a gathered send on behalf of the handler that awaits it.
    pub(super) fn begin_joined<R>(
        &self,
        send: &Bound<'_, Send>,
        begin: impl FnOnce() -> PyResult<R>,
    ) -> PyResult<R> {
        if !self.uses_joins.load(Ordering::Relaxed) {
            return begin();
        }
        let caller = self.joined_by(send.as_any()).map_or(0, |caller| caller.data().as_ffi());
        let before = self.gathered_by.swap(caller, Ordering::Relaxed);
        let result = begin();
        self.gathered_by.store(before, Ordering::Relaxed);
        result
    }

    /// The handler on whose behalf gathered sends begin now.
    #[cold]
    pub(super) fn gathering_caller(&self) -> Option<DeliveryId> {
        let number = self.gathered_by.load(Ordering::Relaxed);
        (number != 0).then(|| DeliveryId::from(KeyData::from_ffi(number)))
    }
}

#[pymethods]
impl Engine {
    /// The handler that runs in the current task awaits these tasks next.
    fn await_tasks(slf: &Bound<'_, Self>, tasks: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some(event_loop) = this.bound_loop(py) else { return Ok(()) };
        let task = current_task::get(&event_loop)?;
        match this.running_in_task(task.as_ref()) {
            Some(delivery) => Self::await_all(slf, delivery, &tasks),
            None => Ok(()),
        }
    }
}
