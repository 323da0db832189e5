"""Under the import hook: which version responses, and what a missing part says."""

import pickle

import pytest
from autogen_core import AgentId

from ..imported_modules import DEPENDENCIES, STRICT


@pytest.fixture
def run(fork_server, tmp_path):
    """Give a function that runs a program in a fork which has imported neither package."""

    def run_program(program, *hook):
        path = tmp_path / "program.py"
        path.write_text("\n".join([*hook, program]))
        done = fork_server(*DEPENDENCIES, flags=STRICT).run(str(path))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run_program


INSTALL = "import ferrogen; ferrogen.install()"


def test_the_version_of_the_package_is_ferrogens_and_that_of_the_release_stays(run):
    program = (
        "import autogen_core, importlib.metadata\n"
        "print(autogen_core.__version__, importlib.metadata.version('autogen-core'))"
    )
    assert run(program) == "0.7.5 0.7.5"
    own, release = run(program, INSTALL).split()
    assert own == run("import ferrogen; print(ferrogen.__version__)") != "0.7.5"
    assert release == "0.7.5"


@pytest.mark.parametrize("protocol", [0, 1])
def test_an_agent_id_in_an_ancient_pickle_is_not_loaded(run, protocol):
    pickled = pickle.dumps(AgentId("a", "k"), protocol).hex()
    load = f"import pickle; print(pickle.loads(bytes.fromhex('{pickled}')))"
    assert run(load) == "a/k"
    refused = f"try:\n    {load}\nexcept TypeError as error:\n    print('TypeError')"
    assert run(refused, INSTALL) == "TypeError"
