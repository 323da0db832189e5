"""The tools, called as functions."""

from ferrogen import CancellationToken
from ferrogen.testing import run

from project_name.tools import temperature


def _look_up(city: str) -> object:
    return run(temperature.run_json({"city": city}, CancellationToken()))


def test_a_known_city_has_a_temperature() -> None:
    assert _look_up("Turin") == "18 degrees Celsius in Turin"


def test_an_unknown_city_is_reported_to_the_model() -> None:
    assert _look_up("Atlantis") == "There is no weather station in Atlantis."
