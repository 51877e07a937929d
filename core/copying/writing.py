"""Copy a pattern into somebody's project: all of its files or none, and none that was edited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from .catalog import find
from .following import CORE


def copy(name: str, to: Path, root: Path = CORE) -> list[Path]:
    """Copy a pattern below `to`, with the folders it lies in, and return its files that are new.

    A file that is there already, byte for byte, is left alone. Where a folder is no package yet,
    an empty `__init__.py` makes it one.

    Raises:
        UnknownPattern: No such pattern.
        FileExistsError: Files are there with other contents. Nothing was written.
        OSError: A file cannot be written. Those that had been written are gone again.
    """
    files = [Path(file) for file in find(name, root).files]
    contents = {to / file: (root / file).read_bytes() for file in files}
    _refuse_what_is_in_the_way(contents)
    new = {place: content for place, content in contents.items() if not place.exists()}
    _write({to / mark: b"" for mark in _marks(files) if not (to / mark).exists()} | new)
    return list(new)


def _marks(files: Iterable[Path]) -> list[Path]:
    """Return what makes packages of the folders of `files`, unless it is among them."""
    code = [file for file in files if file.suffix == ".py"]
    return sorted({folder / "__init__.py" for file in code for folder in file.parents} - {*files})


def _refuse_what_is_in_the_way(contents: Mapping[Path, bytes]) -> None:
    for folder in sorted({folder for place in contents for folder in place.parents}):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"{folder} is a file, so nothing can be copied below it")
    if edited := [str(place) for place, content in contents.items() if _differs(place, content)]:
        message = f"{', '.join(edited)}: edited since, or not from here; move it away first"
        raise FileExistsError(message)


def _differs(place: Path, content: bytes) -> bool:
    if not place.exists() and not place.is_symlink():
        return False
    return not place.is_file() or place.read_bytes() != content


def _write(files: Mapping[Path, bytes]) -> None:
    """Write all of them or none; a file that appears meanwhile is not overwritten."""
    written: list[Path] = []
    try:
        for place, content in files.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                written.append(place)
                file.write(content)
    except BaseException:
        for place in written:
            place.unlink(missing_ok=True)
        raise
