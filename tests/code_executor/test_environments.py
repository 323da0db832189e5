"""Packages of sandboxed code: installed outside of the sandbox, once, from allowed indexes."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor, with_requirements
from ferrogen.code_executor.sandbox import environments
from ferrogen.exceptions import PackageInstallError, SandboxOptionError


def wheel(name: str, source: str) -> bytes:
    """Return a wheel with one module."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record += f"{path},sha256={digest.rstrip('=')},{len(text)}\n"
    files[f"{about}/RECORD"] = record + f"{about}/RECORD,,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


WHEEL = wheel("greeter", "def greet():\n    return 'hello'\n")
HASH = f"--hash=sha256:{hashlib.sha256(WHEEL).hexdigest()}"
CODE = "import greeter\nprint(greeter.greet())"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package index that has one package, and an empty cache of environments."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(environments, "cache_folder", lambda: tmp_path / "environments")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    name = "greeter-1.0-py3-none-any.whl"
    with HTTPServer(host="127.0.0.1") as server:
        page = f'<a href="/files/{name}">{name}</a>'
        server.expect_request("/simple/greeter/").respond_with_data(page, content_type="text/html")
        server.expect_request(f"/files/{name}").respond_with_data(WHEEL)
        # uv would ask again and again after an error of the server.
        server.expect_request(re.compile("/other/")).respond_with_data(status=404)
        yield server.url_for("/simple")


async def output_of(executor: SandboxCodeExecutor, code: str = CODE) -> str:
    async with executor:
        block = CodeBlock(code, "python")
        return (await executor.execute_code_blocks([block], CancellationToken())).output


async def test_packages_can_be_imported_and_are_installed_once(index: str, tmp_path: Path):
    executor = SandboxCodeExecutor(packages=["greeter"], indexes=[index])
    assert await output_of(executor) == "hello\n"
    [folder] = [path for path in (tmp_path / "environments").iterdir() if path.is_dir()]
    created = (folder / "pyvenv.cfg").stat().st_mtime_ns
    assert await output_of(executor) == "hello\n"
    assert (folder / "pyvenv.cfg").stat().st_mtime_ns == created


async def test_an_environment_cannot_be_changed_by_code(index: str):
    executor = SandboxCodeExecutor(packages=["greeter"], indexes=[index])
    code = f"{CODE}\nopen(greeter.__file__, 'w')"
    assert "Read-only file system" in await output_of(executor, code)


async def test_functions_bring_their_packages(index: str):
    @with_requirements(python_packages=["greeter"], global_imports=["greeter"])
    def twice() -> str:
        return greeter.greet() * 2  # noqa: F821 - the file imports it

    executor = SandboxCodeExecutor(functions=[twice], indexes=[index])
    code = "from functions import twice\nprint(twice())"
    assert await output_of(executor, code) == "hellohello\n"


async def test_hashes_are_checked(index: str):
    good = SandboxCodeExecutor(
        packages=[f"greeter==1.0 {HASH}"], indexes=[index], require_hashes=True
    )
    assert await output_of(good) == "hello\n"
    wrong = f"greeter==1.0 --hash=sha256:{'0' * 64}"
    executor = SandboxCodeExecutor(packages=[wrong], indexes=[index], require_hashes=True)
    with pytest.raises(PackageInstallError, match=r"(?i)hash"):
        await executor.start()


async def test_only_the_allowed_indexes_are_used(index: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", index)
    other = index.replace("/simple", "/other")
    executor = SandboxCodeExecutor(packages=["greeter"], indexes=[other])
    with pytest.raises(PackageInstallError, match="greeter"):
        await executor.start()


@pytest.mark.parametrize(
    "package",
    [
        "--index-url=https://x",
        "-e .",
        "./folder",
        "/tmp/x.whl",
        "a @ https://x/a.whl",
        "git+https://x",
    ],
)
def test_packages_that_are_not_names_are_refused(package: str):
    with pytest.raises(SandboxOptionError, match="by name"):
        SandboxCodeExecutor(packages=[package])


def test_missing_hashes_and_wrong_indexes_are_refused():
    with pytest.raises(SandboxOptionError, match="no hash"):
        SandboxCodeExecutor(packages=["greeter"], require_hashes=True)
    with pytest.raises(SandboxOptionError, match="address"):
        SandboxCodeExecutor(packages=["greeter"], indexes=["pypi"])
