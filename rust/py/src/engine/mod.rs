//! The engine: takes each message from acceptance to settlement.
//!
//! In the order in which a message passes:
//!
//! - [`call`], [`messages`], [`options`]: `send_message` and `publish_message` are called.
//! - [`send`], [`future`], [`gather`]: the awaitable that they return, and its life as a future.
//! - [`accept`], [`admission`], [`inline`]: the handler runs inline, or the message is queued.
//! - [`interceptor_order`], [`intervention_methods`], [`interception`], [`revision`], [`diversion`]: intervention handlers revise it, or send it another way.
//! - [`routing`]: the recipients of its topic.
//! - [`backpressure`]: publishers that wait for room.
//! - [`scheduler`], [`batch`], [`dispatch`]: queued messages and due deliveries, in batches; the mailboxes.
//! - [`books`], [`beginning`], [`agents`], [`handlers`]: the recipient, and the handler of the message.
//! - [`invoke`], [`task_pool`]: the handler runs, in a task.
//! - [`execution`], [`waiter`], [`suspension`], [`resumed_by_sender`]: it suspends, and is resumed.
//! - [`chain`], [`delays`], [`deadlines`], [`cancellation`]: what messages inherit; messages that are queued later; they
//!   are not handled in time, or cancelled.
//! - [`joins`]: handlers that await tasks, which await responses.
//! - [`steering`]: running handlers and chains are cancelled from outside.
//! - [`settlement`], [`observer`]: it ends; the sender gets the response, and observers see it.
//! - [`drain`]: the runtime stops before it is handled.
//! - [`clock`], [`statistics`]: how long that took, and what Python reads of it.
//!
//! [`engine`] has the state, and the methods that accept messages; [`lifecycle`], what else Python calls;
//! [`passivation`], how agents are passivated.

mod accept;
mod admission;
mod agents;
mod backpressure;
mod batch;
mod beginning;
mod books;
#[expect(unsafe_code, reason = "the methods are called without the binding's parsing of arguments")]
mod call;
mod callbacks;
mod cancellation;
mod chain;
mod clock;
mod deadlines;
mod delays;
mod dispatch;
mod diversion;
mod drain;
#[allow(clippy::module_inception, reason = "the engine of the folder's name")]
mod engine;
mod execution;
mod future;
mod gather;
mod handlers;
mod inline;
mod interception;
mod interceptor_order;
mod intervention_methods;
mod invoke;
mod joins;
mod lifecycle;
mod messages;
#[expect(unsafe_code, reason = "the version of a dict is read")]
mod observer;
mod options;
mod passivation;
mod resumed_by_sender;
mod revision;
mod routing;
mod scheduler;
mod send;
mod settlement;
mod statistics;
mod steering;
mod suspension;
mod task_pool;
mod unknown;
mod waiter;

use pyo3::exceptions::asyncio::CancelledError;
use pyo3::prelude::*;

use crate::agent_id::AgentId;
use crate::interpreter::{coroutine, free_list};
use crate::publish_envelope::PublishEnvelope;

pub(crate) use backpressure::Publisher;
pub(crate) use chain::Chain;
pub(crate) use engine::Engine;
pub(crate) use handlers::Handlers;
pub(crate) use options::MessageOptions;
pub(crate) use send::Send;
pub(crate) use statistics::TimeHistogram;

/// Gives the classes of the engine their slots. Called once, at import.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    coroutine::give_slots::<execution::Execution>(py)?;
    coroutine::give_slots::<Send>(py)?;
    free_list::recycle::<Send>(py);
    free_list::recycle::<PublishEnvelope>(py);
    free_list::recycle::<AgentId>(py);
    call::install(py)?;
    crate::agent_id_call::install(py)?;
    // The binding imports the class when it is first used, which may be when a suspended handler is closed at
    // the end of the interpreter, where imports fail: it would panic.
    py.get_type::<CancelledError>();
    Ok(())
}
