"""Components that either package wrote are loaded by the other one, from JSON."""

import autogen_core
import pytest

import ferrogen


@pytest.mark.parametrize(("writer", "reader"), [(autogen_core, ferrogen), (ferrogen, autogen_core)])
def test_a_dumped_store_loads_in_the_other_package(writer, reader):
    written = writer.InMemoryStore().dump_component().model_dump_json()
    model = reader.ComponentModel.model_validate_json(written)
    assert isinstance(reader.CacheStore.load_component(model), reader.InMemoryStore)


def test_the_dump_of_a_store_says_the_same_but_for_its_description():
    upstream, ours = (
        package.InMemoryStore().dump_component().model_dump(exclude={"description"})
        for package in (autogen_core, ferrogen)
    )
    assert ours == upstream
