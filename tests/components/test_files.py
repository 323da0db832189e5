"""Components are kept in files of three formats."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import CacheStore, ComponentModel, InMemoryStore
from ferrogen.components import EnvironmentSecret, read_component, write_component
from ferrogen.exceptions import ComponentFileError, MissingDependencyError, SecretError
from ferrogen.memory import ListMemory, MemoryContent

from .machines import Car, Engine, EngineConfig, car, engine

SUFFIXES = [".json", ".yaml", ".yml", ".toml", ".JSON"]
every_format = pytest.mark.parametrize("suffix", SUFFIXES)

TEXT = st.text(max_size=6)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
MODELS = st.builds(
    ComponentModel,
    provider=TEXT,
    component_type=st.none() | TEXT,
    version=st.none() | st.integers(),
    component_version=st.none() | st.integers(),
    description=st.none() | TEXT,
    label=st.none() | TEXT,
    config=st.dictionaries(TEXT, VALUES, max_size=3),
)


@every_format
def test_a_component_comes_back_from_its_file(suffix: str, tmp_path: Path):
    path = tmp_path / f"memory{suffix}"
    memory = ListMemory("tastes", [MemoryContent(content="caffè", mime_type="text/plain")])
    write_component(memory, path)
    assert read_component(path) == memory.dump_component()
    assert ListMemory.load_component(read_component(str(path))).content == memory.content


@every_format
@given(model=MODELS)
def test_whatever_a_config_holds_comes_back(
    suffix: str, model: ComponentModel, tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.getbasetemp() / f"component{suffix}"
    write_component(model, path)
    assert read_component(path) == model


@pytest.mark.usefixtures("trusted")
@every_format
def test_references_to_secrets_are_in_the_file_and_values_are_not(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ENGINE_KEY", "sk-very-secret")
    path = tmp_path / f"car{suffix}"
    write_component(Car.load_component(car(engine=engine(key={"$env": "ENGINE_KEY"}))), path)
    assert "sk-very-secret" not in path.read_text(encoding="utf-8")
    assert Car.load_component(read_component(path)).engine.key == "sk-very-secret"


@every_format
def test_a_secret_that_is_no_reference_is_not_written_as_a_mask(suffix: str, tmp_path: Path):
    path = tmp_path / f"engine{suffix}"
    with pytest.raises(SecretError, match=r"secret at config\.spare_keys\[0\] would not be"):
        write_component(Engine(EngineConfig(power=1, spare_keys=["sk"])), path)
    assert not path.exists()


def test_a_secret_in_a_nested_component_is_not_written_as_a_mask_either(tmp_path: Path):
    built = Car(Engine(EngineConfig(power=1, key="sk")), [], "me")
    with pytest.raises(SecretError, match=r"secret at config\.engine\.config\.key would not be"):
        write_component(built, tmp_path / "car.json")


def test_a_reference_in_a_model_is_written(tmp_path: Path):
    model = ComponentModel(provider="a.B", config={"key": EnvironmentSecret("KEY")})
    write_component(model, tmp_path / "b.json")
    assert read_component(tmp_path / "b.json").config == {"key": {"$env": "KEY"}}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", b"\xff", "cannot be read as JSON"),
        ("a.yaml", "a: [", "cannot be read as YAML"),
        ("a.yaml", "a: !!python/object:os.system {}", "cannot be read as YAML"),
        ("a.toml", "a = ", "cannot be read as TOML"),
        ("a.toml", b"\xff", "cannot be read as TOML"),
        ("a.json", "[]", "holds no component"),
        ("a.yaml", "", "holds no component"),
        ("a.json", '{"config": {}}', "holds no component: provider: Field required"),
        ("a.ini", "", "none of the suffixes .json, .toml, .yaml, .yml"),
        ("a", "", "none of the suffixes"),
    ],
)
def test_a_file_that_holds_no_component_is_refused(
    name: str, text: str | bytes, words: str, tmp_path: Path
):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ComponentFileError, match=words):
        read_component(tmp_path / name)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_component(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("a.toml", [None], r"config\.value\[0\] is null, which TOML has not"),
        ("a.json", float("nan"), "not JSON compliant"),
        ("a.json", "\ud800", "surrogates"),
        ("a.json", object(), "cannot be written"),
        ("a.ini", 1, "none of the suffixes"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_the_file_stays(
    name: str, value: object, words: str, tmp_path: Path
):
    (tmp_path / name).write_text("as it was")
    with pytest.raises(ComponentFileError, match=words):
        write_component(ComponentModel(provider="a.B", config={"value": value}), tmp_path / name)
    assert (tmp_path / name).read_text() == "as it was"


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [(".yaml", "yaml", "yaml"), (".toml", "tomli_w", "toml")]
)
def test_a_missing_package_is_named_by_its_extra(
    suffix: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf'pip install "ferrogen\[{extra}\]"'):
        write_component(InMemoryStore(), tmp_path / f"store{suffix}")


def test_a_file_written_by_hand_is_read(tmp_path: Path):
    path = tmp_path / "store.toml"
    path.write_text('provider = "autogen_core.InMemoryStore"\n[config]\n')
    assert CacheStore.load_component(read_component(path))
