"""The dry run finds every fault with its place, and makes nothing."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ferrogen import CacheStore, ComponentModel, InMemoryStore
from ferrogen.components import Fault, check_component
from ferrogen.exceptions import ComponentError

from . import machines
from .machines import CAR, ENGINE, Car, Engine, car, engine

pytestmark = pytest.mark.usefixtures("trusted")


def found(component, expected=None) -> list[tuple[str, str]]:
    return [(fault.place, fault.kind) for fault in check_component(component, expected)]


def words(component) -> list[str]:
    return [str(fault) for fault in check_component(component)]


def test_what_can_be_loaded_has_no_fault():
    for component in (
        InMemoryStore().dump_component(),
        InMemoryStore().dump_component().model_dump(),
        car(trailers=[car(), car(owner="me")]),
        Car.load_component(car(trailers=[car()])).dump_component(),
    ):
        assert found(component) == []


def test_all_faults_are_found_at_once_with_their_places(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MISSING", raising=False)
    config = car(
        owner=1,
        engine=engine(power=0, key={"$env": "MISSING"}),
        trailers=[
            car(engine={"provider": "surprise.Engine", "config": {}}),
            {"provider": "autogen_core.NoSuch", "config": {}, "component_type": "car"},
            {"provider": CAR, "config": {"engine": {"provider": "x.Y"}}},
            {**engine(), "component_type": "motor", "component_version": 1},
            {"provider": "autogen_core.AgentId", "config": {}},
            {"provider": "InMemoryStore", "config": {}},
        ],
    )
    assert found(config, Engine) == [
        ("provider", "type"),
        ("config.owner", "config"),
        ("config.engine.config.key", "secret"),
        ("config.engine.config.power", "config"),
        ("config.trailers[0].config.engine.provider", "untrusted"),
        ("config.trailers[1].provider", "provider"),
        ("config.trailers[2].config.engine.config", "config"),
        ("config.trailers[3].component_type", "type"),
        ("config.trailers[3].component_version", "version"),
        ("config.trailers[4].provider", "provider"),
        ("config.trailers[5].provider", "provider"),
    ]


def test_nothing_that_is_not_trusted_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "surprise.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = car(engine={"provider": "surprise.Engine", "config": {}})
    [fault] = check_component(config)
    assert fault.place == "config.engine.provider"
    assert "AUTOGEN_ALLOWED_PROVIDER_NAMESPACES" in fault.message
    assert "surprise" not in sys.modules


def test_nothing_is_made(monkeypatch: pytest.MonkeyPatch):
    def made(*_arguments):
        raise SystemExit("made")

    for component_class in (Engine, Car):
        for method in ("__init__", "_from_config", "_from_config_past_version"):
            monkeypatch.setattr(component_class, method, made)
    assert found(car(trailers=[car()])) == []


def test_the_config_stays_as_it_is():
    config = car(engine=engine(key={"$env": "MISSING"}))
    kept = repr(config)
    check_component(config)
    assert repr(config) == kept


def test_a_module_that_cannot_be_imported_is_one_fault_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "needy.py").write_text("raise RuntimeError('no display')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", "needy,unwritten")
    assert words({"provider": "needy.Thing", "config": {}}) == [
        "provider: 'needy.Thing' cannot be imported: no display"
    ]
    [fault] = check_component({"provider": "unwritten.Thing", "config": {}})
    assert (fault.kind, "No module named" in fault.message) == ("provider", True)


@pytest.mark.parametrize(
    ("version", "kinds"), [(None, []), (1, ["version"]), (2, []), (3, ["version"])]
)
def test_a_version_that_the_class_cannot_read_is_a_fault(version, kinds):
    assert [kind for _, kind in found({**engine(), "component_version": version})] == kinds


def test_the_config_of_a_past_version_is_not_checked_but_what_is_in_it_is(monkeypatch):
    monkeypatch.setattr(Car, "component_version", 2)
    old = {"provider": CAR, "component_version": 1, "config": {"motor": engine(power="much")}}
    assert found(old) == [("config.motor.config.power", "config")]


def test_the_class_that_is_expected_may_be_an_interface():
    assert found(InMemoryStore().dump_component(), CacheStore) == []
    [fault] = check_component(engine(), CacheStore)
    assert fault == Fault("provider", "type", f"{ENGINE} is not a CacheStore")


@pytest.mark.parametrize(
    ("component", "places"),
    [
        ({}, ["provider", "config"]),
        ({"provider": CAR}, ["config"]),
        ({"provider": 1, "config": {"trailers": [engine(power=0)]}},
         ["provider", "config.trailers[0].config.power"]),
        ({"provider": CAR, "config": []}, ["config"]),
        ([], [""]),
        (None, [""]),
    ],
)  # fmt: skip
def test_what_is_no_dumped_component_is_a_fault_of_shape(component, places):
    assert [place for place, _ in found(component)] == places
    assert found(component)[0][1] == "shape"


def test_a_secret_that_was_masked_is_a_fault():
    masked = Engine.load_component(engine(key="sk")).dump_component().model_dump(mode="json")
    [fault] = check_component(masked)
    assert (fault.place, fault.kind) == ("config.key", "secret")


def test_a_missing_secret_is_one_fault_and_no_message_has_a_secret(monkeypatch):
    monkeypatch.delenv("MISSING", raising=False)
    monkeypatch.setenv("THERE", "sk-very-secret")
    config = {"spare_keys": [{"$env": "MISSING"}], "key": {"$env": "THERE"}, "power": "much"}
    assert found(engine(**config)) == [
        ("config.spare_keys[0]", "secret"),
        ("config.power", "config"),
    ]
    assert "sk-very-secret" not in repr(check_component(engine(**config)))
    given = {**config, "key": "sk-very-secret", "power": None, "label": 1}
    assert "sk-very-secret" not in repr(check_component(engine(**given)))


def test_a_reference_where_no_secret_belongs_is_a_fault(monkeypatch):
    monkeypatch.setenv("THERE", "1")
    assert found(engine(label={"$env": "THERE"})) == [("config.label", "config")]


def test_a_validator_that_raises_something_else_is_a_fault_of_the_config(monkeypatch):
    def angry(*_arguments, **_keywords):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(machines.EngineConfig, "model_validate", angry)
    assert words(engine()) == ["config: ZeroDivisionError: by zero"]


def test_a_config_that_looks_like_a_component_itself_is_no_nested_one():
    strange = engine(provider="x", config={"power": 1})
    assert found(strange) == []


def test_keys_that_are_no_names_are_quoted():
    config = engine(notes={"my engine": [engine(power=0)]})
    assert found(config) == [("config.notes['my engine'][0].config.power", "config")]


def test_a_model_is_checked_like_its_dict():
    config = engine(power=0)
    assert check_component(ComponentModel(**config)) == check_component(config)


SECRETS = st.sampled_from([*[{"$env": "THERE"}, "sk"] * 4, {"$env": "MISSING"}, {"$env": ""}, 1])
ENGINES = st.fixed_dictionaries(
    {
        "provider": st.sampled_from([*[ENGINE] * 9, "x.Y", "autogen_core.No", ""]),
        "config": st.fixed_dictionaries(
            {"power": st.sampled_from([*[1, "2"] * 5, 0, "much"])},
            optional={
                "key": SECRETS,
                "spare_keys": st.lists(SECRETS, max_size=2),
                "label": st.sampled_from(["", "", {"$env": "THERE"}]),
            },
        ),
    },
    optional={"component_version": st.sampled_from([None, 2, 2, 2, 1])},
)


def cars(trailers: st.SearchStrategy[list]) -> st.SearchStrategy[dict]:
    return st.fixed_dictionaries(
        {
            "provider": st.just(CAR),
            "config": st.fixed_dictionaries({"engine": ENGINES, "trailers": trailers}),
        },
        optional={"component_version": st.sampled_from([None, 1])},
    )


CARS = st.recursive(
    cars(st.just([])), lambda inner: cars(st.lists(inner, max_size=2)), max_leaves=4
)


@given(component=CARS)
def test_a_config_without_faults_can_be_loaded_and_one_with_faults_cannot(component):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", machines.__name__)
        patch.setenv("THERE", "sk")
        patch.delenv("MISSING", raising=False)
        try:
            Car.load_component(component)
        except (ComponentError, ValidationError, AttributeError):
            assert check_component(component) != []
        else:
            assert check_component(component) == []
