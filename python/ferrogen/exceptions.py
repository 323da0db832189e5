"""Exceptions of Ferrogen.

The tree::

    FerrogenError
    ├── CantHandleException              an agent or a subscription refuses what it was given
    ├── UndeliverableException           a message cannot be delivered
    │   ├── RecipientNotFoundError       (LookupError)  the agent type is not registered
    │   ├── MailboxFullError             the recipient's bounded mailbox is full
    │   ├── DeadlineExceededError        (TimeoutError) the message was not handled in time
    │   ├── MessageCancelledError        runtime.cancel came before the handler
    │   ├── HopLimitError                (RuntimeError) too many messages led to this one
    │   ├── DeadlockError                (RuntimeError) the recipient waits for this very message
    │   ├── NoSubscriberError            the topic has no subscriber
    │   ├── UnhandledMessageError        the recipient has no handler for the message type
    │   ├── AgentStoppedError            the recipient has failed, and was stopped
    │   ├── CircuitOpenError             the circuit breaker of the recipient's type is open
    │   └── RuntimeStoppedError          the runtime stopped before the message was handled
    ├── MessageDroppedException          an intervention handler dropped it
    ├── ResponseTypeError                (TypeError)    a response has another type than expected
    ├── StreamError                      (RuntimeError) a handler and its sender do not both stream
    ├── SignalsNotSupportedError         (NotImplementedError)  signals cannot be handled here
    ├── AttemptTimeoutError              (TimeoutError) an attempt of a handler took too long
    ├── ReplayError                      (RuntimeError) a dead letter cannot be sent again
    ├── NotAccessibleError               the object cannot be reached from this process
    ├── AgentNotFoundError               (LookupError)  nothing is registered under this agent type
    ├── StateError                       (ValueError)   a saved state cannot be loaded
    ├── StateStoreError                  (RuntimeError) the state of an agent cannot be loaded from
    │                                    its store, or saved there
    ├── SerializationError               (ValueError)   bytes and message do not fit each other
    │   └── MessageVersionError          the message is of an unknown version
    ├── SchemaConversionError            a JSON Schema cannot be made a pydantic model
    │   ├── FormatNotSupportedError      a property has an unknown format (upstream only)
    │   ├── ReferenceNotFoundError       a $ref cannot be resolved
    │   └── UnsupportedKeywordError      a part has an unknown type, or contradicts another
    ├── ImageError                       (ValueError)   an image cannot be read
    ├── ModelInfoError                   (ValueError)   the description of a model lacks something
    ├── ModelError                       (RuntimeError) a model gave no usable response
    │   ├── ModelConnectionError         (ConnectionError)  its service cannot be reached
    │   ├── ModelTimeoutError            (TimeoutError)     its service took too long
    │   ├── ModelStatusError             its service responded with an error status
    │   │   └── ModelRateLimitError      its service limits requests: status 429
    │   ├── ModelResponseError           its response cannot be read
    │   ├── AllClientsFailedError        every client of a fallback failed
    │   ├── BudgetExceededError          the next call would cost more than is left
    │   └── ReplayMismatchError          a request is not the one that was recorded
    ├── CacheStoreError                  (RuntimeError) a file cannot be used as a cache
    ├── ClientSetupError                 (ValueError)   a client is set up wrongly
    │   └── UnknownArgumentError         (ModelRequestError, TypeError)  a client, or a request to
    │                                    one, has no argument of this name
    ├── ModelRequestError                (ValueError)   a request is invalid
    ├── CassetteError                    (ValueError)   a file holds no recorded requests
    ├── ContextLimitError                (ValueError)   the limit of a model context is invalid
    ├── MemoryStoreError                 (RuntimeError) the file of a memory cannot be used
    │   └── MemoryBusyError              (TimeoutError) another process has locked it for too long
    ├── MemoryContentError               (ValueError)   something cannot be stored in a memory
    ├── MemoryQueryError                 (ValueError)   a search or a filter is invalid
    ├── MemoryScopeError                 (ValueError)   a memory is limited to another namespace
    ├── MemoryQuotaError                 (RuntimeError) a memory has no room for another item
    ├── EmbedderError                    (RuntimeError) an embedder gave no usable vectors
    │   └── EmbedderMismatchError        the stored vectors are those of another embedder
    ├── MissingDependencyError           (ImportError)  an optional package is not installed
    ├── ToolSchemaError                  (ValueError, KeyError, NameError)  a tool cannot be
    │                                    described
    ├── ToolCancelledError               (RuntimeError) the call of a tool was cancelled, and its
    │                                    caller was not
    ├── ToolTimeoutError                 (TimeoutError) the call of a tool took too long
    ├── ToolNameError                    (ValueError)   two tools would have one name
    ├── ToolProcessError                 (RuntimeError) a killable tool cannot run, or its
    │                                    process died
    ├── ToolStreamError                  (AssertionError, TypeError)  a tool's stream ends without
    │                                    a result, or with one of another type
    ├── FunctionSourceError              (ValueError)   source text does not make one function
    ├── SandboxError                     (RuntimeError) a sandbox could not run a program
    │   └── SandboxUnavailableError      nothing can isolate code on this machine
    ├── SandboxOptionError               (ValueError)   an option of a code executor is invalid
    ├── PackageInstallError              (RuntimeError) packages of a code executor cannot be
    │                                    installed
    ├── ArtifactError                    (OSError)      a file cannot be taken out of a sandbox, or
    │                                    put into it
    ├── ComponentError                   a component cannot be dumped or loaded
    │   ├── ProviderError                (ValueError)  a provider string is wrong
    │   │   └── UntrustedProviderError   it names something outside the trusted namespaces
    │   ├── ComponentTypeError           (TypeError)   not a component, or of another class
    │   ├── ComponentDefinitionError     (AttributeError)  its class lacks a class variable
    │   ├── ComponentVersionError        (NotImplementedError)  the config is of a past version
    │   ├── ComponentFileError           (ValueError)  a file cannot be read as a component
    │   ├── SecretError                  (ValueError)  a secret is missing, or cannot be written
    │   ├── FunctionDumpError            (TypeError, OSError)  a function has no usable source text
    │   ├── SourceTextRefusedError       (PermissionError)  running source text is not enabled
    │   └── SourceImportError            (ModuleNotFoundError, RuntimeError)  source text needs a
    │                                    module that cannot be imported
    ├── WrongLoopError                   (RuntimeError) used from another event loop than its own
    ├── AlreadyImportedError             (RuntimeError) the real autogen_core is imported already
    └── NotProvidedError                 (ModuleNotFoundError)  a name of autogen_core that
                                         Ferrogen does not have

Where upstream raised a built-in exception, ours is a kind of that exception too, so that an
existing ``except`` clause keeps catching it. Those of a tool agent are in `ferrogen.tool_agent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class FerrogenError(Exception):
    """The base of every exception that Ferrogen defines."""


class CantHandleException(FerrogenError):
    """An agent, a handler or a subscription cannot take what it was given."""


class UndeliverableException(FerrogenError):
    """A message cannot reach its recipient."""


class RecipientNotFoundError(UndeliverableException, LookupError):
    """A message was sent to an agent type that is not registered."""


class MailboxFullError(UndeliverableException):
    """The recipient's bounded mailbox has no room for another message.

    Args:
        message: The text of the error.
        recipient: The id of the recipient.
    """

    def __init__(self, message: str, *, recipient: Any = None) -> None:
        super().__init__(message)
        self.recipient = recipient


class DeadlineExceededError(UndeliverableException, TimeoutError):
    """A message was not handled before its deadline. A handler that had begun was cancelled."""


class MessageCancelledError(UndeliverableException):
    """A message was cancelled by `runtime.cancel` before its handler began."""


class HopLimitError(UndeliverableException, RuntimeError):
    """Too many messages led to this one: agents send to each other in a loop.

    Args:
        message: The text of the error.
        path: The ids of the agents that have sent the messages of the chain, then the recipient.
        max_hops: The limit.
    """

    def __init__(self, message: str, *, path: Sequence[Any] = (), max_hops: int = 0) -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.max_hops = max_hops


class DeadlockError(UndeliverableException, RuntimeError):
    """A message would wait forever: its recipient awaits, directly or through others, its sender.

    Args:
        message: The text of the error.
        cycle: The ids of the agents, each of which awaits a response of the next one.
    """

    def __init__(self, message: str, *, cycle: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.cycle = tuple(cycle)


class NoSubscriberError(UndeliverableException):
    """A message was published to a topic without subscribers."""


class UnhandledMessageError(UndeliverableException):
    """An agent has no handler for the type of a message."""


class AgentStoppedError(UndeliverableException):
    """The recipient has failed, and its supervision has stopped it."""


class CircuitOpenError(UndeliverableException):
    """The circuit breaker of the recipient's agent type is open: its handlers keep failing.

    Args:
        message: The text of the error.
        agent_type: The agent type.
        failures: How many failed calls have opened the circuit breaker.
        retry_after: The seconds until messages are let through again; 0 if that depends on calls
            that are being tried at the moment.
    """

    def __init__(
        self, message: str, *, agent_type: str = "", failures: int = 0, retry_after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.agent_type = agent_type
        self.failures = failures
        self.retry_after = retry_after


class RuntimeStoppedError(UndeliverableException):
    """The runtime stopped while the message was still waiting to be handled."""


class MessageDroppedException(FerrogenError):
    """An intervention handler dropped the message or its response."""


class ResponseTypeError(FerrogenError, TypeError):
    """An agent responded with another type than the sender expects."""


class StreamError(FerrogenError, RuntimeError):
    """A stream was requested of a handler that responds once, or the other way round."""


class SignalsNotSupportedError(FerrogenError, NotImplementedError):
    """Signals cannot be handled on this platform, on this event loop, or in this thread."""


class AttemptTimeoutError(FerrogenError, TimeoutError):
    """An attempt of a handler took longer than the `attempt_timeout` of its retry policy."""


class ReplayError(FerrogenError, RuntimeError):
    """A dead letter cannot be sent to the agent that it is for, and to no other one."""


class NotAccessibleError(FerrogenError):
    """An object cannot be reached from this process, for instance because it is remote."""


class AgentNotFoundError(FerrogenError, LookupError):
    """No agent is registered under this agent type."""


class StateError(FerrogenError, ValueError):
    """A saved state cannot be loaded: unknown version, wrong shape, or an unknown agent type."""


class StateStoreError(FerrogenError, RuntimeError):
    """The state of an agent cannot be loaded from its store, or saved there.

    Args:
        message: The text of the error. The cause is `__cause__`.
        agent_id: The agent, if it was the state of one.
    """

    def __init__(self, message: str, *, agent_id: Any = None) -> None:
        super().__init__(message)
        self.agent_id = agent_id


class ComponentError(FerrogenError):
    """A component cannot be dumped or loaded."""


class ProviderError(ComponentError, ValueError):
    """A provider string is not a dotted path, or is not trusted."""


class UntrustedProviderError(ProviderError):
    """A provider string names something outside the trusted namespaces; it was not imported."""


class ComponentTypeError(ComponentError, TypeError):
    """A provider does not name a component class of the expected type, or names a local one."""


class ComponentDefinitionError(ComponentError, AttributeError):
    """A component class lacks a required class variable."""


class ComponentVersionError(ComponentError, NotImplementedError):
    """A config is of a past version that its class cannot read."""


class FunctionDumpError(ComponentError, TypeError, OSError):
    """A function cannot be written into a config as source text."""


class SourceTextRefusedError(ComponentError, PermissionError):
    """A config holds source text, and the caller did not allow it to be run."""


class SourceImportError(ComponentError, ModuleNotFoundError, RuntimeError):
    """Something that a function in source text needs cannot be imported."""


class ComponentFileError(ComponentError, ValueError):
    """A file does not hold a component, or is of a format that cannot hold one."""


class SecretError(ComponentError, ValueError):
    """A secret cannot be found, or would have to be written into a config."""


class ModelInfoError(FerrogenError, ValueError):
    """The description of a model lacks a required field."""


class ModelError(FerrogenError, RuntimeError):
    """A model gave no usable response."""


class ModelConnectionError(ModelError, ConnectionError):
    """The service of a model cannot be reached, or the connection to it was lost."""


class ModelTimeoutError(ModelError, TimeoutError):
    """The service of a model did not respond within the timeout."""


class ModelStatusError(ModelError):
    """The service of a model responded with an error status.

    Args:
        message: The text of the error.
        status: The HTTP status; 0 if it is not known.
        retry_after: The seconds to wait before the next request, if the service has named them.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        # Not super(): subclasses inherit from errors of SDKs, too, whose constructors take other
        # arguments and come next where RuntimeError does not define one (CPython 3.14).
        Exception.__init__(self, message)
        self.status = status
        self.retry_after = retry_after


class ModelRateLimitError(ModelStatusError):
    """The service of a model limits the rate of requests.

    Args:
        message: The text of the error.
        status: The HTTP status.
        retry_after: The seconds to wait before the next request, if the service has named them.
    """

    def __init__(
        self, message: str, *, status: int = 429, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, retry_after=retry_after)


class ModelResponseError(ModelError):
    """The response of a model cannot be read: it is truncated, invalid JSON, or incomplete."""


class AllClientsFailedError(ModelError):
    """Every client of a fallback failed.

    Args:
        message: The text of the error.
        errors: The error of each client, in the order of the calls.
    """

    def __init__(self, message: str, *, errors: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class BudgetExceededError(ModelError):
    """The next call of a model could exceed a budget, so it was not made."""


class ReplayMismatchError(ModelError):
    """A request was not recorded, so there is no response to replay."""


class CacheStoreError(FerrogenError, RuntimeError):
    """A file cannot be read or written as a cache."""


class ClientSetupError(FerrogenError, ValueError):
    """A model client, or a middleware around one, is set up wrongly."""


class ModelRequestError(FerrogenError, ValueError):
    """A request to a model has unknown or contradictory arguments."""


class UnknownArgumentError(ClientSetupError, ModelRequestError, TypeError):
    """A model client, or a request to one, has no argument of this name."""


class CassetteError(FerrogenError, ValueError):
    """A file cannot be read as a recording of requests to a model."""


class ContextLimitError(FerrogenError, ValueError):
    """The limit of a model context is not above zero."""


class ToolSchemaError(FerrogenError, ValueError, KeyError, NameError):
    """A function or a tool cannot be described to a model."""

    def __str__(self) -> str:
        return ValueError.__str__(self)  # a KeyError would show its words as a quoted key


class ToolCancelledError(FerrogenError, RuntimeError):
    """The call of a tool was cancelled, while its caller was not."""


class ToolTimeoutError(FerrogenError, TimeoutError):
    """The call of a tool took longer than its timeout."""


class ToolNameError(FerrogenError, ValueError):
    """A workbench would have two tools under one name."""


class ToolProcessError(FerrogenError, RuntimeError):
    """A killable tool cannot run in a process, or its process ended without a result."""


class ToolStreamError(FerrogenError, AssertionError, TypeError):
    """The stream of a tool ended without a result, or with one of an undeclared type."""


class FunctionSourceError(FerrogenError, ValueError):
    """Source text does not run, or does not define exactly one function."""


class SandboxError(FerrogenError, RuntimeError):
    """A sandbox could not run a program."""


class SandboxUnavailableError(SandboxError):
    """Nothing can isolate code on this machine, so none is run."""


class SandboxOptionError(FerrogenError, ValueError):
    """An option of a code executor is invalid."""


class PackageInstallError(FerrogenError, RuntimeError):
    """The packages that a code executor is to offer cannot be installed."""


class ArtifactError(FerrogenError, OSError):
    """A file cannot be taken out of a sandbox, or put into it."""


class MemoryStoreError(FerrogenError, RuntimeError):
    """The file of a memory cannot be read or written, or is not one; or the memory is closed."""


class MemoryBusyError(MemoryStoreError, TimeoutError):
    """Another process has locked the file of a memory for longer than the busy timeout."""


class MemoryContentError(FerrogenError, ValueError):
    """A content, its metadata or its provenance cannot be stored. Nothing was written."""


class MemoryQueryError(FerrogenError, ValueError):
    """A search or a filter has invalid or contradictory arguments."""


class MemoryScopeError(FerrogenError, ValueError):
    """A namespace is invalid, or lies outside the one that a memory is limited to."""


class MemoryQuotaError(FerrogenError, RuntimeError):
    """The quota of a namespace does not permit another item. Nothing was written."""


class EmbedderError(FerrogenError, RuntimeError):
    """An embedder gave too few vectors, or vectors that cannot be compared with others."""


class EmbedderMismatchError(EmbedderError):
    """The stored vectors were computed by another embedder, and cannot be compared with new ones.

    Args:
        message: The text of the error.
        stored: The ids of the embedders of the stored vectors.
    """

    def __init__(self, message: str, *, stored: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.stored = tuple(stored)


class SerializationError(FerrogenError, ValueError):
    """A message cannot be turned into bytes, or bytes cannot be turned into a message."""


class MessageVersionError(SerializationError):
    """A message is of a version that its class cannot read, or versions are declared wrongly."""


class SchemaConversionError(FerrogenError):
    """A JSON Schema cannot be turned into a pydantic model."""


class FormatNotSupportedError(SchemaConversionError):
    """A property of a JSON Schema has a format that is not known.

    Upstream raises it; here such a format is an annotation.
    """


class ReferenceNotFoundError(SchemaConversionError):
    """A reference in a JSON Schema cannot be resolved."""


class UnsupportedKeywordError(SchemaConversionError):
    """A part of a JSON Schema has an unknown type, or contradicts another part."""


class ImageError(FerrogenError, ValueError):
    """An image cannot be read."""


class MissingDependencyError(FerrogenError, ImportError):
    """A feature needs an optional package that is not installed."""


class WrongLoopError(FerrogenError, RuntimeError):
    """The runtime is bound to one event loop and was used from another."""


class AlreadyImportedError(FerrogenError, RuntimeError):
    """The real ``autogen_core`` is imported already, so Ferrogen cannot take its place."""


class NotProvidedError(FerrogenError, ModuleNotFoundError):
    """A name of ``autogen_core`` that Ferrogen does not provide."""
