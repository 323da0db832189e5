"""Under the import hook: which version responses, and what a missing part says."""

import pickle
import subprocess
import sys

import pytest
from autogen_core import AgentId


def run(program, *hook):
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*hook, program])],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


INSTALL = "import ferrogen; ferrogen.install()"


def test_the_version_of_the_package_is_ferrogens_and_that_of_the_release_stays():
    program = (
        "import autogen_core, importlib.metadata\n"
        "print(autogen_core.__version__, importlib.metadata.version('autogen-core'))"
    )
    assert run(program) == "0.7.5 0.7.5"
    own, release = run(program, INSTALL).split()
    assert own == run("import ferrogen; print(ferrogen.__version__)") != "0.7.5"
    assert release == "0.7.5"


@pytest.mark.parametrize("protocol", [0, 1])
def test_an_agent_id_in_an_ancient_pickle_is_not_loaded(protocol):
    pickled = pickle.dumps(AgentId("a", "k"), protocol).hex()
    load = f"import pickle; print(pickle.loads(bytes.fromhex('{pickled}')))"
    assert run(load) == "a/k"
    refused = f"try:\n    {load}\nexcept TypeError as error:\n    print('TypeError')"
    assert run(refused, INSTALL) == "TypeError"
