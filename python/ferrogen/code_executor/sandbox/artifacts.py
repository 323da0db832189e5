"""Files that come out of a sandbox."""

import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path, PurePosixPath

from ferrogen._image import Image
from ferrogen.exceptions import ArtifactError, MissingDependencyError, SandboxOptionError

_DEEPEST = 16


@dataclass(frozen=True)
class Artifact:
    """A file that sandboxed code has written. It is only bytes: archives are not unpacked.

    Args:
        path: The path in the work folder.
        media_type: The type, by the first bytes or the name.
        data: The contents.

    Example:
        ```python
        from ferrogen.code_executor import Artifact

        table = Artifact("out/table.csv", "text/csv", b"a,b")
        assert (table.size, table.is_image) == (3, False)
        ```
    """

    __module__ = "ferrogen.code_executor"

    path: str
    media_type: str
    data: bytes

    def __repr__(self) -> str:
        return f"Artifact({self.path!r}, {self.media_type!r}, {self.size} bytes)"

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @property
    def is_image(self) -> bool:
        """Whether the type is one of pictures."""
        return self.media_type.startswith("image/")

    def image(self) -> Image:
        """Return the picture.

        Raises:
            ArtifactError: The file is not a picture, or one of too many pixels.
            MissingDependencyError: Pillow is not installed.
        """
        try:
            from PIL import Image as pillow  # noqa: N813 - it is a module
        except ImportError as error:
            raise MissingDependencyError(
                'images need pillow: pip install "ferrogen[images]"', name="PIL"
            ) from error
        try:
            with pillow.open(BytesIO(self.data), formats=("PNG", "JPEG", "GIF", "WEBP")) as picture:
                return Image.from_pil(picture)
        except (OSError, ValueError, pillow.DecompressionBombError) as error:
            raise ArtifactError(f"the artifact {self.path} is not a picture: {error}") from error


@dataclass(frozen=True)
class RefusedArtifact:
    """A file that matches a declaration and was not read.

    Args:
        path: The path in the work folder.
        reason: Why it was not read.

    Example:
        ```python
        from ferrogen.code_executor import RefusedArtifact

        assert RefusedArtifact("plot.png", "a symbolic link").path == "plot.png"
        ```
    """

    __module__ = "ferrogen.code_executor"

    path: str
    reason: str


@dataclass(frozen=True)
class ArtifactRules:
    """The artifacts that are declared.

    Args:
        patterns: Paths in the work folder; ``*`` stands for a part of a name, and of a path.
        most_bytes: The size of all artifacts of a call.
        most_files: The number of them.
    """

    patterns: tuple[str, ...] = ()
    most_bytes: int = 16 << 20
    most_files: int = 100

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            inside_path(pattern)


def inside_path(path: str) -> tuple[str, ...]:
    """Return the parts of a path in the work folder.

    Raises:
        SandboxOptionError: It leads outside.
    """
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or "\0" in path:
        raise SandboxOptionError(
            f"{path!r} is not a path in the work folder: use a relative one without '..'"
        )
    return parts


def collect(work: Path, rules: ArtifactRules) -> tuple[list[Artifact], list[RefusedArtifact]]:
    """Read the declared artifacts, while no code runs."""
    artifacts: list[Artifact] = []
    refused: list[RefusedArtifact] = []
    if not rules.patterns:
        return artifacts, refused
    left = rules.most_bytes
    for path in sorted(_matching(work, rules.patterns)):
        if len(artifacts) + len(refused) >= rules.most_files:
            refused.append(RefusedArtifact(path, f"there are more than {rules.most_files} files"))
            break
        try:
            data = read_inside(work, path, left)
        except ArtifactError as error:
            refused.append(RefusedArtifact(path, str(error)))
            continue
        left -= len(data)
        artifacts.append(Artifact(path, media_type(path, data), data))
    return artifacts, refused


def read_inside(work: Path, path: str, most_bytes: int) -> bytes:
    """Read a regular file below a folder, and follow no links.

    Raises:
        ArtifactError: It is not there, not a regular file, too large, or reached by a link.
        SandboxOptionError: The path leads outside.
    """
    *folders, name = inside_path(path)
    descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            descriptor = _step(descriptor, folder, os.O_DIRECTORY)
        descriptor = _step(descriptor, name, os.O_NONBLOCK)
        file = os.fstat(descriptor)
        if not stat.S_ISREG(file.st_mode):
            raise ArtifactError(f"it is {_kind(file.st_mode)}, and not a regular file")
        if file.st_size > most_bytes:
            raise ArtifactError(f"its {file.st_size} bytes are more than the {most_bytes} left")
        with os.fdopen(os.dup(descriptor), "rb") as opened:
            return opened.read(most_bytes)
    except ArtifactError:
        raise
    except OSError as error:
        raise ArtifactError(_reason(descriptor, error)) from error
    finally:
        os.close(descriptor)


def write_inside(work: Path, path: str, data: bytes, uid: int, gid: int) -> None:
    """Write a file below a folder, and follow no links.

    Raises:
        ArtifactError: Something is in the way.
        SandboxOptionError: The path leads outside.
    """
    *folders, name = inside_path(path)
    descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            try:
                os.mkdir(folder, 0o700, dir_fd=descriptor)
                os.chown(folder, uid, gid, dir_fd=descriptor, follow_symlinks=False)
            except FileExistsError:
                pass
            descriptor = _step(descriptor, folder, os.O_DIRECTORY)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=descriptor)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=descriptor), "wb") as opened:
            os.fchown(opened.fileno(), uid, gid)
            opened.write(data)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        os.close(descriptor)


def media_type(path: str, data: bytes) -> str:
    """Return the type of a file; of pictures by the contents, which the code cannot invent."""
    for start, name in _PICTURES:
        if data.startswith(start):
            return name
    guessed = mimetypes.guess_type(path)[0] or "application/octet-stream"
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if is_webp:
        return "image/webp"
    wrong = guessed.startswith("image/") and guessed != "image/svg+xml"
    return "application/octet-stream" if wrong else guessed


_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def _step(descriptor: int, name: str, flags: int) -> int:
    inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=descriptor)
    os.close(descriptor)
    return inner


def _matching(work: Path, patterns: Sequence[str]) -> Iterator[str]:
    literal = {pattern for pattern in patterns if not any(sign in pattern for sign in "*?[")}
    for path in literal:
        if os.path.lexists(work / path):
            yield str(PurePosixPath(path))
    wild = [pattern for pattern in patterns if pattern not in literal]
    if wild:
        flags = os.O_RDONLY | os.O_DIRECTORY
        for path in _files(os.open(work, flags), "", 0):
            if path not in literal and any(fnmatchcase(path, pattern) for pattern in wild):
                yield path


def _files(descriptor: int, prefix: str, depth: int) -> Iterator[str]:
    try:
        for entry in sorted(os.scandir(descriptor), key=lambda entry: entry.name):
            if not entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name
            elif depth < _DEEPEST:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                try:
                    inner = os.open(entry.name, flags, dir_fd=descriptor)
                except OSError:
                    continue  # the code has made it unreadable
                yield from _files(inner, f"{prefix}{entry.name}/", depth + 1)
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFLNK: "a symbolic link",
    }
    return kinds.get(stat.S_IFMT(mode), "of an unknown kind")


def _reason(descriptor: int, error: OSError) -> str:
    try:
        mode = os.lstat(error.filename, dir_fd=descriptor).st_mode
    except (OSError, TypeError):
        return str(error.strerror)
    if stat.S_ISREG(mode):
        return str(error.strerror)
    return f"it is {_kind(mode)}, and not a regular file"
