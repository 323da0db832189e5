"""Annotations: the types they allow."""

from types import NoneType
from typing import Any, Optional, Union

import pytest

from ferrogen.agents.signatures import AnyType, get_types


@pytest.mark.parametrize(
    ("annotation", "types"),
    [
        (int, (int,)),
        (None, (NoneType,)),
        (Any, (AnyType,)),
        (int | str, (int, str)),
        (Union[int, str], (int, str)),  # noqa: UP007 - the spelling is what is tested
        (Optional[int], (int, NoneType)),  # noqa: UP045 - the spelling is what is tested
    ],
)
def test_the_types_of_an_annotation(annotation, types):
    assert tuple(get_types(annotation)) == types


@pytest.mark.parametrize("annotation", ["int", 5, ...])
def test_an_annotation_that_is_no_type_has_no_types(annotation):
    assert get_types(annotation) is None
