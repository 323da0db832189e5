"""Components as users write them, for the tests of this folder."""

from typing import Any

from pydantic import BaseModel, Field, SecretStr

from ferrogen import Component, ComponentBase, ComponentModel


class EngineConfig(BaseModel):
    power: int = Field(gt=0)
    key: SecretStr | None = None
    spare_keys: list[SecretStr] = []
    label: str = ""
    notes: dict[str, Any] = {}


class Engine(ComponentBase[EngineConfig], Component[EngineConfig]):
    """Drives; keeps its key as plain text, as clients of services do."""

    component_type = "engine"
    component_config_schema = EngineConfig
    component_version = 2

    def __init__(self, config: EngineConfig):
        self.power = config.power
        self.key = config.key and config.key.get_secret_value()
        self.spare_keys = [key.get_secret_value() for key in config.spare_keys]

    def _to_config(self) -> EngineConfig:
        return EngineConfig(power=self.power, key=self.key, spare_keys=self.spare_keys)

    @classmethod
    def _from_config(cls, config: EngineConfig) -> "Engine":
        return cls(config)


class CarConfig(BaseModel):
    engine: ComponentModel
    trailers: list[ComponentModel] = []
    owner: str = "unassigned"


class Car(ComponentBase[CarConfig], Component[CarConfig]):
    """Carries an engine, and pulls others."""

    component_type = "car"
    component_config_schema = CarConfig

    def __init__(self, engine: Engine, trailers: list["Car"], owner: str):
        self.engine = engine
        self.trailers = trailers
        self.owner = owner

    def _to_config(self) -> CarConfig:
        return CarConfig(
            engine=self.engine.dump_component(),
            trailers=[trailer.dump_component() for trailer in self.trailers],
            owner=self.owner,
        )

    @classmethod
    def _from_config(cls, config: CarConfig) -> "Car":
        trailers = [Car.load_component(trailer) for trailer in config.trailers]
        return cls(Engine.load_component(config.engine), trailers, config.owner)

    @classmethod
    def _from_config_past_version(cls, config: dict[str, Any], version: int) -> "Car":
        return cls._from_config(CarConfig.model_validate({**config, "owner": str(version)}))


ENGINE = f"{__name__}.Engine"
CAR = f"{__name__}.Car"


def engine(**config: Any) -> dict[str, Any]:
    return {"provider": ENGINE, "config": {"power": 1, **config}}


def car(**config: Any) -> dict[str, Any]:
    return {"provider": CAR, "config": {"engine": engine(), **config}}
