"""Components: what a config may import, and what loading changes."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import autogen_core
import pytest
from pydantic import BaseModel, SecretStr

import ferrogen
from ferrogen.exceptions import ProviderError


def test_a_provider_outside_the_trusted_namespaces_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "surprise.py").write_text("Thing = int\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = {"provider": "surprise.Thing", "config": {}}

    with pytest.raises(ProviderError, match="not in a trusted namespace"):
        ferrogen.ComponentLoader.load_component(config)
    assert "surprise" not in sys.modules

    with pytest.raises(TypeError, match="Invalid component class"):
        autogen_core.ComponentLoader.load_component(config)
    assert sys.modules.pop("surprise")


@pytest.mark.parametrize(
    ("package", "left"),
    [
        (autogen_core, "autogen_ext.models.ollama.OllamaChatCompletionClient"),
        (ferrogen, "OllamaChatCompletionClient"),
    ],
)
def test_loading_a_short_name_leaves_the_model_as_it_is(
    package: Any, left: str, monkeypatch: pytest.MonkeyPatch
):
    client = ModuleType("autogen_ext.models.ollama")
    client.OllamaChatCompletionClient = package.InMemoryStore
    monkeypatch.setitem(sys.modules, client.__name__, client)
    model = package.ComponentModel(provider="OllamaChatCompletionClient", config={})
    assert isinstance(package.CacheStore.load_component(model), package.InMemoryStore)
    assert model.provider == left


def test_a_config_may_refer_to_a_secret(monkeypatch: pytest.MonkeyPatch):
    class LockConfig(BaseModel):
        key: SecretStr | dict[str, str]

    def kept(core: Any) -> LockConfig:
        class Lock(core.ComponentBase[LockConfig], core.Component[LockConfig]):
            component_type = "lock"
            component_config_schema = LockConfig

            def __init__(self, config: LockConfig) -> None:
                self.config = config

            @classmethod
            def _from_config(cls, config: LockConfig) -> "Lock":
                return cls(config)

        module = ModuleType("autogen_ext.locks")
        module.Lock = Lock
        monkeypatch.setitem(sys.modules, module.__name__, module)
        config = {"key": {"$env": "LOCK_KEY"}}
        return Lock.load_component({"provider": "autogen_ext.locks.Lock", "config": config}).config

    monkeypatch.setenv("LOCK_KEY", "1234")
    assert kept(autogen_core).key == {"$env": "LOCK_KEY"}
    assert kept(ferrogen).key.get_secret_value() == "1234"
