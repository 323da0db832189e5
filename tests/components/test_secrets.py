"""Secrets: references survive, values are never written."""

import copy
import pickle
from unittest import mock

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from ferrogen import ComponentModel
from ferrogen.components import (
    EnvironmentSecret,
    check_component,
    read_component,
    write_component,
)
from ferrogen.exceptions import FerrogenError, SecretError
from ferrogen.models import ChatCompletionClient
from ferrogen.models.anthropic import AnthropicChatCompletionClient
from ferrogen.models.middleware import Retrying
from ferrogen.models.openai import OpenAIChatCompletionClient

from . import machines
from .machines import ENGINE, Car, Engine, EngineConfig, car, engine

VALUE = "sk-very-secret"
REFERENCE = {"$env": "ENGINE_KEY"}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_KEY", VALUE)


class Keys(BaseModel):
    key: EnvironmentSecret
    other: EnvironmentSecret | None = None


@pytest.mark.usefixtures("trusted")
def test_a_reference_becomes_the_secret_and_is_written_as_the_reference():
    loaded = Engine.load_component(engine(key=REFERENCE, spare_keys=["x", REFERENCE]))
    assert (loaded.key, loaded.spare_keys) == (VALUE, ["x", VALUE])
    dumped = loaded.dump_component()
    assert dumped.config["key"] == REFERENCE
    assert dumped.config["spare_keys"][1] == REFERENCE
    assert VALUE not in dumped.model_dump_json()
    again = Engine.load_component(ComponentModel.model_validate_json(dumped.model_dump_json()))
    assert again.key == VALUE
    assert again.dump_component().config["key"] == REFERENCE


@pytest.mark.parametrize(
    ("client_class", "model"),
    [(OpenAIChatCompletionClient, "gpt-4o"), (AnthropicChatCompletionClient, "claude-sonnet-4-5")],
)
def test_clients_of_services_take_references_in_configs_and_in_code(client_class, model: str):
    config = {
        "model": model,
        "api_key": REFERENCE,
        "default_headers": {"X-Api-Key": REFERENCE, "X-Trace": "on"},
    }
    provider = f"{client_class.__module__}.{client_class.__name__}"
    loaded = ChatCompletionClient.load_component({"provider": provider, "config": config})
    made = client_class(model=model, api_key=EnvironmentSecret("ENGINE_KEY"))
    assert loaded._client.api_key == made._client.api_key == VALUE
    assert loaded._client.default_headers["X-Api-Key"] == VALUE
    assert loaded.dump_component().config == config
    assert made.dump_component().config == {"model": model, "api_key": REFERENCE}


def test_a_wrapped_client_keeps_its_reference(tmp_path):
    client = OpenAIChatCompletionClient(model="gpt-4o", api_key=EnvironmentSecret("ENGINE_KEY"))
    write_component(Retrying(client, attempts=2), tmp_path / "client.yaml")
    written = read_component(tmp_path / "client.yaml")
    assert VALUE not in written.model_dump_json()
    assert check_component(written) == []
    loaded = ChatCompletionClient.load_component(written)
    assert loaded.dump_component().model_dump_json() == written.model_dump_json()


@pytest.mark.usefixtures("trusted")
def test_a_reference_in_a_nested_component_is_the_business_of_that_component():
    given = car(engine=engine(key=REFERENCE), trailers=[car(engine=engine(key=REFERENCE))])
    loaded = Car.load_component(given)
    assert (loaded.engine.key, loaded.trailers[0].engine.key) == (VALUE, VALUE)
    dumped = loaded.dump_component().model_dump_json()
    assert VALUE not in dumped
    assert dumped.count('"$env":"ENGINE_KEY"') == 2


@pytest.mark.usefixtures("trusted")
def test_loading_leaves_the_config_as_it_is():
    given = engine(key=REFERENCE, spare_keys=[REFERENCE])
    kept = copy.deepcopy(given)
    Engine.load_component(given)
    assert given == kept


@pytest.mark.usefixtures("trusted")
def test_a_config_of_a_past_version_gets_the_secret_and_is_written_with_the_reference():
    class Old(Engine):
        component_version = 3
        component_provider_override = ENGINE

        @classmethod
        def _from_config_past_version(cls, config: dict, version: int) -> "Old":
            return cls(EngineConfig(power=version, key=config["password"]))

    with mock.patch.object(machines, "Engine", Old):
        given = {**engine(password=REFERENCE), "component_version": 2}
        loaded = Old.load_component(given)
    assert (loaded.power, loaded.key) == (2, VALUE)
    assert loaded.dump_component().config["key"] == REFERENCE


@pytest.mark.usefixtures("trusted")
def test_a_secret_that_was_given_as_such_is_masked_as_upstream_does():
    dumped = Engine(EngineConfig(power=1, key=SecretStr(VALUE))).dump_component()
    assert dumped.config["key"] == SecretStr(VALUE)
    assert '"key":"**********"' in dumped.model_dump_json()


@pytest.mark.usefixtures("trusted")
def test_a_reference_stays_though_the_variable_has_changed(monkeypatch: pytest.MonkeyPatch):
    loaded = Engine.load_component(engine(key=REFERENCE))
    monkeypatch.setenv("ENGINE_KEY", "rotated")
    assert loaded.dump_component().config["key"] == REFERENCE
    monkeypatch.delenv("ENGINE_KEY")
    assert loaded.dump_component().config["key"] == REFERENCE


@pytest.mark.usefixtures("trusted")
def test_all_missing_secrets_are_named_with_their_places(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ENGINE_KEY")
    with pytest.raises(
        SecretError, match=r"'ENGINE_KEY' \(at key\), 'OTHER' \(at spare_keys\[0\]\)"
    ):
        Engine.load_component(engine(key=REFERENCE, spare_keys=[{"$env": "OTHER"}]))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "config",
    [
        {"key": REFERENCE, "power": "none"},
        {"key": REFERENCE, "power": None},
        {"key": REFERENCE, "spare_keys": REFERENCE},
        {"label": REFERENCE},
        {"power": REFERENCE},
    ],
)
def test_no_error_shows_a_secret_and_no_other_field_takes_one(config: dict):
    with pytest.raises(ValidationError) as caught:
        Engine.load_component(engine(**config))
    assert VALUE not in f"{caught.value} {caught.value!r} {caught.value.errors()}"


@pytest.mark.parametrize(
    "value",
    [
        *({"$env": "A", "more": 1}, {"$env": 1}, {"$env": ""}, {"$env": "A=B"}, {"env": "A"}),
        *("$env", []),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_what_only_looks_like_a_reference_is_none(value: object):
    with pytest.raises(ValidationError):
        TypeAdapter(EnvironmentSecret).validate_python(value)
    if value != "$env":
        with pytest.raises(ValidationError):
            Engine.load_component(engine(key=value))


def test_a_model_may_demand_references():
    keys = Keys.model_validate({"key": REFERENCE})
    assert keys.key.get_secret_value() == VALUE
    assert keys.model_dump(mode="json") == {"key": REFERENCE, "other": None}
    assert keys.model_dump() == {"key": EnvironmentSecret("ENGINE_KEY"), "other": None}
    assert Keys.model_validate_json(keys.model_dump_json()) == keys
    with pytest.raises(ValidationError, match="a reference to a secret is"):
        Keys(key=VALUE)


def test_the_schema_of_a_reference_is_that_of_its_object():
    schema = Keys.model_json_schema()["properties"]["key"]
    assert schema["required"] == ["$env"]
    assert schema["additionalProperties"] is False


def test_a_config_is_dumped_with_the_secret_in_it_and_to_json_without(monkeypatch):
    config = EngineConfig(power=1, key=EnvironmentSecret("ENGINE_KEY"))
    assert isinstance(config.model_dump()["key"], EnvironmentSecret)
    assert '"key":"**********"' in config.model_dump_json()
    monkeypatch.delenv("ENGINE_KEY")
    assert isinstance(config.model_dump()["key"], EnvironmentSecret)


def test_pickles_copies_and_representations_have_the_name_alone():
    secret = EnvironmentSecret("ENGINE_KEY")
    config = EngineConfig(power=1, key=secret)
    for copied in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config)):
        assert copied.key == secret
        assert copied.key.get_secret_value() == VALUE
    shown = f"{secret} {secret!r} {config} {config!r} {config.model_dump()}"
    shown += config.model_dump_json() + repr(pickle.dumps(config)) + repr(vars(secret))
    assert VALUE not in shown
    assert "ENGINE_KEY" in repr(secret)


def test_a_default_does_not_show_in_the_schema():
    class Defaulted(BaseModel):
        key: SecretStr = EnvironmentSecret("ENGINE_KEY")

    assert VALUE not in repr(Defaulted.model_json_schema())


def test_a_secret_is_read_when_it_is_used(monkeypatch: pytest.MonkeyPatch):
    secret = EnvironmentSecret("ENGINE_KEY")
    assert len(secret) == len(VALUE)
    monkeypatch.setenv("ENGINE_KEY", "rotated")
    assert secret.get_secret_value() == "rotated"
    monkeypatch.delenv("ENGINE_KEY")
    assert not secret.is_set()
    assert "ENGINE_KEY" in repr(secret)
    with pytest.raises(SecretError, match="'ENGINE_KEY' of a secret is not set"):
        secret.get_secret_value()


def test_references_are_equal_by_name_and_never_to_values():
    secret = EnvironmentSecret("ENGINE_KEY")
    assert {secret, EnvironmentSecret("ENGINE_KEY")} == {secret}
    assert secret != EnvironmentSecret("OTHER")
    assert secret != SecretStr(VALUE)
    assert SecretStr(VALUE) != secret


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_a_name_that_no_variable_can_have_is_refused(name: str):
    with pytest.raises(FerrogenError, match="cannot be the name of an environment variable"):
        EnvironmentSecret(name)
