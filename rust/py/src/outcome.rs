//! `Outcome`: how a message ended, as Python sees it.

use ferrogen_core::Outcome as Ending;
use pyo3::prelude::*;

#[pyclass(
    frozen,
    eq,
    hash,
    from_py_object,
    module = "ferrogen._core",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Handled,
    Answered,
    Dropped,
    Failed,
    DeadLettered,
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Handled => Ending::Handled,
            Outcome::Answered => Ending::Answered,
            Outcome::Dropped => Ending::Dropped,
            Outcome::Failed => Ending::Failed,
            Outcome::DeadLettered => Ending::DeadLettered,
        }
    }
}
