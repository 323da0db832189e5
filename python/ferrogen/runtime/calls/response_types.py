"""The types that responses must have."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, is_typeddict

from ferrogen._core import AgentId
from ferrogen.agents.signatures import is_union
from ferrogen.exceptions import ResponseTypeError

__all__ = ["ResponseType"]


class ResponseType:
    """The type that a response must have.

    Args:
        described: A class, None, `Any`, a union of types, a parametrized generic (of which the
            class is checked, and not the elements), `Annotated` or `Literal`.

    Raises:
        TypeError: Responses cannot be checked against it.
    """

    def __init__(self, described: object) -> None:
        self._described = described
        self._literals: list[Any] = []
        self._classes: type[Any] | tuple[type[Any], ...]
        if type(described) is type:  # the usual case: no protocol, no TypedDict, no alias
            self._classes = described
        else:
            classes: list[type[Any]] = []
            self._add(described, classes)
            self._classes = tuple(classes)

    def _add(self, described: object, classes: list[type[Any]]) -> None:
        origin = get_origin(described)
        if described is Any:
            classes.append(object)
        elif described is None:
            classes.append(NoneType)
        elif is_union(described):
            for one in get_args(described):
                self._add(one, classes)
        elif origin is Annotated:
            self._add(get_args(described)[0], classes)
        elif origin is Literal:
            self._literals.extend(get_args(described))
        elif isinstance(getattr(described, "__supertype__", None), type):  # typing.NewType
            self._add(described.__supertype__, classes)  # type: ignore[attr-defined]
        elif type(described).__name__ == "TypeAliasType":
            self._add(described.__value__, classes)  # type: ignore[attr-defined]
        else:
            found = described if origin is None else origin
            classes.append(_checkable(found, described))

    def __str__(self) -> str:
        return _name(self._described)

    def matches(self, response: object) -> bool:
        """Whether a response has this type."""
        if isinstance(response, self._classes):
            return True
        return any(type(one) is type(response) and one == response for one in self._literals)

    def check(self, response: Any, agent_id: AgentId, message: object) -> Any:
        """Return a response that has this type.

        Args:
            response: The response of the agent.
            agent_id: The agent.
            message: The message that was sent.

        Raises:
            ResponseTypeError: It has another type.
        """
        if self.matches(response):
            return response
        actual = "None" if response is None else _name(type(response))
        raise ResponseTypeError(
            f"agent {agent_id} responded to {type(message).__name__} with {actual}, expected "
            f"{self}: pass the type that its handler returns, or a union with it"
        )


def _checkable(found: object, described: object) -> type[Any]:
    if isinstance(found, type) and not is_typeddict(found):
        try:
            isinstance(None, found)
        except TypeError:  # a protocol that is not runtime_checkable
            pass
        else:
            return found
    raise TypeError(
        f"responses cannot be checked against {described!r}: the response type must be a class, "
        "None, a union of these, or Any"
    )


def _name(described: object) -> str:
    plain = isinstance(described, type) and get_origin(described) is None
    return described.__qualname__ if plain else str(described)  # type: ignore[attr-defined]
