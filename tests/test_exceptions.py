"""The exceptions: the tree that their module draws is the tree that is there."""

from __future__ import annotations

import builtins
import copy
import pickle
import re

import pytest

import ferrogen
from ferrogen import exceptions

LINE = re.compile(
    r"^(?P<branch>|[│ ]*[├└]── )(?P<name>[A-Z]\w+)(?: +\((?P<also>[\w, ]+)\))?(?: |$)"
)


def drawn() -> dict[str, tuple[str, ...]]:
    """Read the bases of each exception off the drawing."""
    drawing = (exceptions.__doc__ or "").split("The tree::")[1]
    bases: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for line in drawing.splitlines():
        match = LINE.match(line.removeprefix("    "))
        if match is None or not line.startswith("    "):
            continue
        depth = len(match["branch"]) // 4
        del above[depth:]
        also = tuple(match["also"].split(", ")) if match["also"] else ()
        bases[match["name"]] = (*(above[-1:] or ["Exception"]), *also)
        above.append(match["name"])
    return bases


EXCEPTIONS = sorted(
    name
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, Exception)
)


def real() -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(base.__name__ for base in getattr(exceptions, name).__bases__)
        for name in EXCEPTIONS
    }


def test_the_tree_that_is_drawn_is_the_real_one() -> None:
    assert drawn() == real()


def test_each_says_what_it_means_and_can_be_copied_and_pickled() -> None:
    for name in EXCEPTIONS:
        error = getattr(exceptions, name)("what happened")
        assert type(error).__doc__, name
        for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (type(again), again.args) == (type(error), error.args)
        assert not hasattr(builtins, name), name


@pytest.mark.parametrize(
    ("error", "values"),
    [
        (exceptions.ModelStatusError("down", status=503, retry_after=2.5), (503, 2.5)),
        (exceptions.ModelRateLimitError("slow down", retry_after=1.0), (429, 1.0)),
    ],
)
def test_a_status_survives_copies_and_pickles(error, values):
    for again in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (again.status, again.retry_after) == values
        assert str(again) == error.args[0]


def test_the_errors_of_all_clients_survive_a_pickle():
    error = exceptions.AllClientsFailedError("2 clients failed", errors=[KeyError("a"), OSError()])
    again = pickle.loads(pickle.dumps(error))
    assert [type(each) for each in again.errors] == [KeyError, OSError]


@pytest.mark.parametrize(
    ("name", "builtin"),
    [("ModelConnectionError", ConnectionError), ("ModelTimeoutError", TimeoutError)],
)
def test_connection_and_timeout_are_caught_as_pythons_own(name, builtin):
    error = getattr(exceptions, name)("no response")
    assert isinstance(error, builtin)
    assert str(error) == "no response"


def test_upstreams_exceptions_keep_their_names() -> None:
    import autogen_core.exceptions as upstream

    assert set(upstream.__all__) <= set(EXCEPTIONS)
    assert ferrogen.exceptions is exceptions
