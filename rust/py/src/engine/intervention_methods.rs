//! The methods of intervention handlers, and whether they are those of `DefaultInterventionHandler`, which return
//! the message unmodified and are not called.

use std::num::NonZeroU32;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::engine::Engine;
use super::messages::Taken;
use crate::interpreter::attributes::{class_version, has_own};
use crate::interpreter::coroutine::function_of_method;
use crate::python;

/// How many classes are known at most. Who has more modifies them all the time.
const MOST_CLASSES: usize = 16;

/// A method of intervention handlers.
#[derive(Clone, Copy)]
pub(super) enum Method {
    Send,
    Publish,
    Response,
}

impl Method {
    const ALL: [Self; 3] = [Self::Send, Self::Publish, Self::Response];

    /// The method that revises a message.
    pub(super) fn of(taken: &Taken) -> Self {
        match taken {
            Taken::Direct(..) => Self::Send,
            Taken::Published(..) => Self::Publish,
            Taken::Response(..) => Self::Response,
        }
    }

    #[inline]
    pub(super) fn name(self, py: Python<'_>) -> &Bound<'_, PyString> {
        match self {
            Self::Send => intern!(py, "on_send"),
            Self::Publish => intern!(py, "on_publish"),
            Self::Response => intern!(py, "on_response"),
        }
    }
}

/// Which methods classes inherit, by the version of the class.
#[derive(Default)]
pub(super) struct KnownClasses(Vec<(NonZeroU32, [bool; 3])>);

impl KnownClasses {
    #[inline]
    fn inherits(&self, version: NonZeroU32, method: Method) -> Option<bool> {
        let known = self.0.iter().find(|(one, _)| *one == version);
        known.map(|(_, inherited)| inherited[method as usize])
    }
}

impl Engine {
    /// Whether the method of an intervention handler is that of `DefaultInterventionHandler`.
    #[inline]
    pub(super) fn is_inherited(
        &self,
        interceptor: &Bound<'_, PyAny>,
        method: Method,
    ) -> PyResult<bool> {
        let (py, version) = (interceptor.py(), class_version(interceptor));
        if let Some(version) = version {
            match self.state.with(py, |state| state.known_classes.inherits(version, method)) {
                Some(false) => return Ok(false),
                Some(true) if !has_own(interceptor, method.name(py))? => return Ok(true),
                _ => {}
            }
        }
        self.look_up(interceptor, method)
    }

    /// The same, by the method itself. The class is known from then on.
    #[cold]
    fn look_up(&self, interceptor: &Bound<'_, PyAny>, method: Method) -> PyResult<bool> {
        let py = interceptor.py();
        let defaults = defaults(py)?;
        let is_default = |found: &Bound<'_, PyAny>| {
            function_of_method(found)
                .is_some_and(|function| defaults.iter().any(|one| one.as_ptr() == function))
        };
        let answer = is_default(&interceptor.getattr(method.name(py))?);
        let class = interceptor.get_type();
        let before = class_version(interceptor);
        let mut inherited = [false; 3];
        for (method, default) in Method::ALL.into_iter().zip(defaults) {
            inherited[method as usize] = class.getattr(method.name(py))?.is(default);
        }
        // A lookup can run code of a metaclass, which modifies the class.
        if let Some(version) = before.filter(|_| before == class_version(interceptor)) {
            self.state.with(py, |state| {
                let known = &mut state.known_classes.0;
                if known.len() == MOST_CLASSES {
                    known.clear();
                }
                known.retain(|(one, _)| *one != version);
                known.push((version, inherited));
            });
        }
        Ok(answer)
    }
}

/// The methods of `DefaultInterventionHandler`.
fn defaults(py: Python<'_>) -> PyResult<&'static [Py<PyAny>; 3]> {
    static DEFAULTS: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();
    DEFAULTS.get_or_try_init(py, || {
        let class = python::default_intervention_handler(py)?;
        let [send, publish, response] = Method::ALL.map(|method| class.getattr(method.name(py)));
        PyResult::Ok([send?.unbind(), publish?.unbind(), response?.unbind()])
    })
}
