"""``importlib.metadata`` knows of the release whose names are served."""

from collections.abc import Callable
from pathlib import Path

RunProgram = Callable[..., str]


def test_version_is_the_served_release_under_every_spelling(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        from importlib import metadata
        for spelling in ("autogen-core", "autogen_core", "Autogen.Core"):
            assert metadata.version(spelling) == "0.7.5"
        assert metadata.metadata("autogen-core")["Name"] == "autogen-core"
        """)


def test_other_metadata_of_the_served_release_is_empty(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        from importlib import metadata
        found = metadata.distribution("autogen-core")
        assert found.requires is None and found.files is None and not list(found.entry_points)
        assert "autogen-core" in metadata.packages_distributions()["autogen_core"]
        """)


def test_other_distributions_are_still_listed(run_program: RunProgram):
    run_program("""
        from importlib import metadata
        before = {d.metadata["Name"] for d in metadata.distributions()}
        import ferrogen
        ferrogen.install()
        after = {d.metadata["Name"] for d in metadata.distributions()}
        assert after == before | {"autogen-core"} and "pydantic" in after
        assert metadata.version("pydantic") and metadata.entry_points(group="console_scripts")
        """)


def test_distributions_of_a_given_path_do_not_include_the_served_release(
    run_program: RunProgram, tmp_path: Path
):
    run_program(f"""
        import ferrogen
        ferrogen.install()
        from importlib import metadata
        assert list(metadata.distributions(path=[{str(tmp_path)!r}])) == []
        """)


def test_unknown_distribution_is_still_not_found(run_program: RunProgram):
    run_program("""
        import ferrogen
        ferrogen.install()
        from importlib import metadata
        try:
            metadata.version("no-such-distribution")
        except metadata.PackageNotFoundError:
            pass
        else:
            raise SystemExit("found")
        """)


def test_listing_distributions_in_a_child_does_not_import_ferrogen(run_program: RunProgram):
    run_program(
        """
        import sys
        from importlib import metadata
        assert metadata.version("autogen-core") == "0.7.5" and list(metadata.distributions())
        assert "ferrogen" not in sys.modules
        """,
        FERROGEN_INSTALL="1",
    )
