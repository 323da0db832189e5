"""The tools that the model can call."""

from typing import Annotated

from ferrogen.tools import tool

# Replace it by a request to a service.
_TEMPERATURES = {"cairo": 31, "oslo": 4, "turin": 18}


@tool
async def temperature(city: Annotated[str, "The name of the city, in English."]) -> str:
    """Look up the temperature in a city."""
    degrees = _TEMPERATURES.get(city.lower())
    if degrees is None:
        return f"There is no weather station in {city}."
    return f"{degrees} degrees Celsius in {city}"
