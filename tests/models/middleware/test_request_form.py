"""Equal requests have equal fingerprints, and different ones different ones."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ferrogen import CancellationToken
from ferrogen.models.middleware.json_forms import fingerprint, written
from ferrogen.models.middleware.request import Request
from ferrogen.tools import FunctionTool

from ..test_round_trip import MODELS
from .fakes import QUESTION

MESSAGES = st.lists(
    st.one_of(*(MODELS[name] for name in MODELS if name.endswith("Message"))), max_size=3
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["seed", "stop", "n"]), st.integers() | st.text(max_size=3) | st.booleans()
)


class Place(BaseModel):
    name: str


def request(messages=QUESTION, **changes):
    usual = {
        "tools": (),
        "tool_choice": "auto",
        "json_output": None,
        "extra_create_args": {},
        "cancellation_token": None,
        "streaming": False,
    }
    return Request(messages, **{**usual, **changes})


def key(*arguments, **changes):
    return fingerprint(written(request(*arguments, **changes)))


@given(MESSAGES, ARGUMENTS, MESSAGES, ARGUMENTS)
def test_fingerprints_are_equal_when_forms_are(messages, arguments, others, other_arguments):
    one = written(request(messages, extra_create_args=arguments))
    other = written(request(others, extra_create_args=other_arguments))
    # repr distinguishes 1 from True, as a service does
    assert (fingerprint(one) == fingerprint(other)) == (sorted_repr(one) == sorted_repr(other))
    copies = [message.model_copy(deep=True) for message in messages]
    assert key(copies, extra_create_args=dict(reversed(arguments.items()))) == fingerprint(one)


def sorted_repr(value):
    if isinstance(value, dict):
        return repr(sorted((name, sorted_repr(each)) for name, each in value.items()))
    return repr([sorted_repr(each) for each in value] if isinstance(value, list) else value)


async def way(to: str) -> str:
    """Tell the way."""
    return to


def test_a_tool_is_written_as_its_schema_and_chosen_by_its_name():
    tool = FunctionTool(way, "Tells the way.")
    form = written(request(tools=[tool], tool_choice=tool))
    assert form["tools"] == [tool.schema]
    assert form["tool_choice"] == {"tool": "way"}
    assert fingerprint(form) == key(tools=[dict(tool.schema)], tool_choice=tool)


def test_a_response_class_is_written_as_its_schema():
    assert written(request(json_output=Place))["json_output"] == Place.model_json_schema()


def test_streaming_and_tokens_are_not_part_of_the_key():
    assert key() == key(streaming=True) == key(cancellation_token=CancellationToken())


def test_half_a_surrogate_pair_can_be_distinguished():
    assert key(extra_create_args={"stop": "\ud83d"}) != key(extra_create_args={"stop": "\ud83e"})
