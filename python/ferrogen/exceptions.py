"""Exceptions of Ferrogen.

The tree::

    FerrogenError
    ├── CantHandleException              an agent or a subscription refuses what it was given
    ├── UndeliverableException           a message was accepted or offered, and reaches nobody
    │   ├── RecipientNotFoundError       (LookupError)  the agent type is not registered
    │   ├── MailboxFullError             the recipient's bounded mailbox is full
    │   ├── DeadlockError                (RuntimeError) the recipient waits for this very message
    │   ├── NoSubscriberError            the topic has no subscriber
    │   ├── UnhandledMessageError        the recipient has no handler for the message type
    │   └── RuntimeStoppedError          the runtime stopped before the message was handled
    ├── MessageDroppedException          an intervention handler dropped it
    ├── NotAccessibleError               the thing lives where it cannot be reached from here
    ├── AgentNotFoundError               (LookupError)  nothing is registered under this agent type
    ├── StateError                       (ValueError)   a saved state cannot be loaded
    ├── SerializationError               (ValueError)   bytes and message do not fit each other
    │   └── MessageVersionError          the message is of a version that nobody here can read
    ├── SchemaConversionError            a JSON Schema cannot be made a pydantic model
    │   ├── FormatNotSupportedError      a property has an unknown format
    │   ├── ReferenceNotFoundError       a $ref leads nowhere
    │   └── UnsupportedKeywordError      a part has no usable type, or contradicts another
    ├── ImageError                       (ValueError)   this is not where an image can come from
    ├── ModelInfoError                   (ValueError)   the description of a model lacks something
    ├── ModelError                       (RuntimeError) a model gave no answer that can be used
    │   ├── ModelConnectionError         (ConnectionError)  its service cannot be reached
    │   ├── ModelTimeoutError            (TimeoutError)     its service took too long
    │   ├── ModelStatusError             its service answered with an error status
    │   │   └── ModelRateLimitError      its service wants fewer requests: status 429
    │   ├── ModelResponseError           its answer cannot be read
    │   ├── AllClientsFailedError        every client of a fallback failed
    │   ├── BudgetExceededError          the next call would cost more than is left
    │   └── ReplayMismatchError          a request is not the one that was recorded
    ├── CacheStoreError                  (RuntimeError) a file cannot be used as a cache
    ├── ClientSetupError                 (ValueError)   a client cannot work as it was set up
    │   └── UnknownArgumentError         (ModelRequestError, TypeError)  a client, or a request to
    │                                    one, has no argument of this name
    ├── ModelRequestError                (ValueError)   a model cannot be asked like this
    ├── CassetteError                    (ValueError)   a file holds no recorded requests
    ├── ContextLimitError                (ValueError)   a model context could send nothing at all
    ├── MissingDependencyError           (ImportError)  an optional package is not installed
    ├── ToolSchemaError                  (ValueError, KeyError)  a tool cannot be described
    ├── ToolNameError                    (ValueError)   a name would stand for two tools
    ├── ToolProcessError                 (RuntimeError) a killable tool cannot run, or its
    │                                    process died
    ├── ToolStreamError                  (AssertionError, TypeError)  a tool's stream ends without
    │                                    a result, or with one of another type
    ├── FunctionSourceError              (ValueError)   source text does not make one function
    ├── ComponentError                   a component cannot be dumped or loaded
    │   ├── ProviderError                (ValueError)  a provider string is wrong
    │   │   └── UntrustedProviderError   it names something outside the trusted namespaces
    │   ├── ComponentTypeError           (TypeError)   this is no component, or not the one expected
    │   ├── ComponentDefinitionError     (AttributeError)  its class lacks a class variable
    │   ├── ComponentVersionError        (NotImplementedError)  the config is of a past version
    │   ├── ComponentFileError           (ValueError)  a file holds no component, or cannot hold it
    │   ├── SecretError                  (ValueError)  a secret is missing, or cannot be written
    │   ├── FunctionDumpError            (TypeError, OSError)  a function has no usable source text
    │   ├── SourceTextRefusedError       (PermissionError)  nobody allowed to run source text
    │   └── SourceImportError            (ModuleNotFoundError, RuntimeError)  source text needs a
    │                                    module that cannot be imported
    ├── WrongLoopError                   (RuntimeError) used from another event loop than its own
    ├── AlreadyImportedError             (RuntimeError) the real autogen_core is imported already
    └── NotProvidedError                 (ModuleNotFoundError)  a name of autogen_core that
                                         Ferrogen does not have

Where upstream raised a built-in exception, ours is a kind of that exception too, so that an
existing ``except`` clause keeps catching it. Those of a tool agent, which tell of a call, stand
in `ferrogen.tool_agent`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AgentNotFoundError",
    "AllClientsFailedError",
    "AlreadyImportedError",
    "BudgetExceededError",
    "CacheStoreError",
    "CantHandleException",
    "CassetteError",
    "ClientSetupError",
    "ComponentDefinitionError",
    "ComponentError",
    "ComponentFileError",
    "ComponentTypeError",
    "ComponentVersionError",
    "ContextLimitError",
    "DeadlockError",
    "FerrogenError",
    "FormatNotSupportedError",
    "FunctionDumpError",
    "FunctionSourceError",
    "ImageError",
    "MailboxFullError",
    "MessageDroppedException",
    "MessageVersionError",
    "MissingDependencyError",
    "ModelConnectionError",
    "ModelError",
    "ModelInfoError",
    "ModelRateLimitError",
    "ModelRequestError",
    "ModelResponseError",
    "ModelStatusError",
    "ModelTimeoutError",
    "NoSubscriberError",
    "NotAccessibleError",
    "NotProvidedError",
    "ProviderError",
    "RecipientNotFoundError",
    "ReferenceNotFoundError",
    "ReplayMismatchError",
    "RuntimeStoppedError",
    "SchemaConversionError",
    "SecretError",
    "SerializationError",
    "SourceImportError",
    "SourceTextRefusedError",
    "StateError",
    "ToolNameError",
    "ToolProcessError",
    "ToolSchemaError",
    "ToolStreamError",
    "UndeliverableException",
    "UnhandledMessageError",
    "UnknownArgumentError",
    "UnsupportedKeywordError",
    "UntrustedProviderError",
    "WrongLoopError",
]


class FerrogenError(Exception):
    """The base of every exception that Ferrogen defines."""


class CantHandleException(FerrogenError):
    """An agent, a handler or a subscription cannot take what it was given."""


class UndeliverableException(FerrogenError):
    """A message cannot reach its recipient."""


class RecipientNotFoundError(UndeliverableException, LookupError):
    """A message was sent to an agent type that is not registered."""


class MailboxFullError(UndeliverableException):
    """The recipient's bounded mailbox has no room for another message."""


class DeadlockError(UndeliverableException, RuntimeError):
    """A message would wait forever: its recipient awaits, directly or through others, its sender.

    Args:
        message: What happened.
        cycle: The ids of the agents, each of which awaits a response of the next one.
    """

    def __init__(self, message: str, *, cycle: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.cycle = tuple(cycle)


class NoSubscriberError(UndeliverableException):
    """A message was published to a topic without subscribers."""


class UnhandledMessageError(UndeliverableException):
    """An agent has no handler for the type of a message."""


class RuntimeStoppedError(UndeliverableException):
    """The runtime stopped while the message was still waiting to be handled."""


class MessageDroppedException(FerrogenError):
    """An intervention handler dropped the message, so no answer will come."""


class NotAccessibleError(FerrogenError):
    """The value exists but cannot be reached from here, for instance because it is remote."""


class AgentNotFoundError(FerrogenError, LookupError):
    """No agent is registered under this agent type."""


class StateError(FerrogenError, ValueError):
    """A saved state cannot be loaded: unknown version, wrong shape, or an unknown agent type."""


class SerializationError(FerrogenError, ValueError):
    """A message cannot be turned into bytes, or bytes cannot be turned into a message."""


class MessageVersionError(SerializationError):
    """A message is of a version that its class cannot read, or versions are declared wrongly."""


class SchemaConversionError(FerrogenError):
    """A JSON Schema cannot be turned into a pydantic model."""


class FormatNotSupportedError(SchemaConversionError):
    """A property of a JSON Schema has a format that is not known."""


class ReferenceNotFoundError(SchemaConversionError):
    """A reference in a JSON Schema leads nowhere."""


class UnsupportedKeywordError(SchemaConversionError):
    """A part of a JSON Schema has no usable type, or contradicts another part."""


class ImageError(FerrogenError, ValueError):
    """An image cannot be read from what was given."""


class ModelInfoError(FerrogenError, ValueError):
    """What is said of a model lacks something that agents need to know."""


class ModelError(FerrogenError, RuntimeError):
    """A model gave no answer that can be used."""


class ModelConnectionError(ModelError, ConnectionError):
    """The service of a model cannot be reached, or the connection to it was lost."""


class ModelTimeoutError(ModelError, TimeoutError):
    """The service of a model took longer to answer than it was given."""


class ModelStatusError(ModelError):
    """The service of a model answered with an error status.

    Args:
        message: What happened.
        status: The HTTP status; 0 if it is not known.
        retry_after: The seconds after which the service said to ask again, if it said so.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        # Not super(): subclasses inherit from errors of SDKs, too, whose constructors take other
        # arguments and come next where RuntimeError does not define one (CPython 3.14).
        Exception.__init__(self, message)
        self.status = status
        self.retry_after = retry_after


class ModelRateLimitError(ModelStatusError):
    """The service of a model wants to be asked less often.

    Args:
        message: What happened.
        status: The HTTP status.
        retry_after: The seconds after which the service said to ask again, if it said so.
    """

    def __init__(
        self, message: str, *, status: int = 429, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, retry_after=retry_after)


class ModelResponseError(ModelError):
    """The answer of a model cannot be read: it breaks off, is no JSON, or lacks a part."""


class AllClientsFailedError(ModelError):
    """Every client of a fallback failed.

    Args:
        message: What happened.
        errors: What each client raised, in the order in which they were asked.
    """

    def __init__(self, message: str, *, errors: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class BudgetExceededError(ModelError):
    """The next call of a model would take more than is left of a budget, so it was not made."""


class ReplayMismatchError(ModelError):
    """A request is not one that was recorded, so that there is no answer to replay."""


class CacheStoreError(FerrogenError, RuntimeError):
    """A file cannot be read or written as a cache."""


class ClientSetupError(FerrogenError, ValueError):
    """A client of a model, or a wrapper of one, cannot work as it was set up."""


class ModelRequestError(FerrogenError, ValueError):
    """A request to a model contradicts itself, or has arguments that nobody knows."""


class UnknownArgumentError(ClientSetupError, ModelRequestError, TypeError):
    """A model client, or a request to one, has no argument of this name."""


class CassetteError(FerrogenError, ValueError):
    """A file cannot be read as a recording of requests to a model."""


class ContextLimitError(FerrogenError, ValueError):
    """The limit of a model context is not above zero, so that it could send nothing."""


class MissingDependencyError(FerrogenError, ImportError):
    """A feature needs an optional package that is not installed."""


class ToolSchemaError(FerrogenError, ValueError, KeyError):
    """A function or a tool cannot be described to a model."""

    def __str__(self) -> str:
        return ValueError.__str__(self)  # a KeyError would show its words as a quoted key


class ToolNameError(FerrogenError, ValueError):
    """A workbench would have two tools under one name."""


class ToolProcessError(FerrogenError, RuntimeError):
    """A killable tool cannot run in a process of its own, or that ended before it answered."""


class ToolStreamError(FerrogenError, AssertionError, TypeError):
    """The stream of a tool ended without a result, or with one of another type than it says."""


class FunctionSourceError(FerrogenError, ValueError):
    """Source text does not run, or does not define exactly one function."""


class ComponentError(FerrogenError):
    """A component cannot be dumped or loaded."""


class ProviderError(ComponentError, ValueError):
    """A provider string is no dotted path, or is not trusted."""


class UntrustedProviderError(ProviderError):
    """A provider string names something outside the trusted namespaces; it was not imported."""


class ComponentTypeError(ComponentError, TypeError):
    """What a provider names is no component class, a local one, or not of the expected class."""


class ComponentDefinitionError(ComponentError, AttributeError):
    """A component class lacks a class variable that says what it is."""


class ComponentVersionError(ComponentError, NotImplementedError):
    """A config is of a past version, and its class does not say how to read that."""


class FunctionDumpError(ComponentError, TypeError, OSError):
    """A function cannot be written into a config: no source text would make it again."""


class SourceTextRefusedError(ComponentError, PermissionError):
    """A config holds source text, and the caller did not allow it to be run."""


class SourceImportError(ComponentError, ModuleNotFoundError, RuntimeError):
    """Something that a function in source text needs cannot be imported."""


class ComponentFileError(ComponentError, ValueError):
    """A file does not hold a component, or is of a format that cannot hold one."""


class SecretError(ComponentError, ValueError):
    """A secret is not where a config says, or would have to be written into one."""


class WrongLoopError(FerrogenError, RuntimeError):
    """The runtime is bound to one event loop and was used from another."""


class AlreadyImportedError(FerrogenError, RuntimeError):
    """The real ``autogen_core`` is imported already, so Ferrogen cannot take its place."""


class NotProvidedError(FerrogenError, ModuleNotFoundError):
    """A name of ``autogen_core`` was asked for that Ferrogen does not provide."""
