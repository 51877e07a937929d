"""The list of patterns, made from the files themselves: as values, as a table, in the README."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from .following import CORE, FOLDERS, closure, imported, needs, summary

ALSO = (
    *("approvers/any_of", "approvers/by_risk", "approvers/deadline"),
    *("approvers/escalate", "approvers/inbox", "approvers/scripted", "approvers/terminal"),
    *("approvers/slack", "approvers/teams"),
    *("runners/agentica", "runners/live", "runners/program", "runners/pydantic_ai"),
    *("stores/memory", "stores/sqlite", "gate", "batch", "facade"),
    *("canonical", "display", "audit", "model"),
)
"""Files that are of use by themselves, even when a neighbour imports them."""

BEGIN, END = "<!-- catalogue: written by `python -m core list --markdown` -->", "<!-- end -->"


class UnknownPattern(LookupError):
    """There is no pattern of that name; the message names those that are near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Something to copy. All paths are relative to the folder of `core`.

    Attributes:
        name: The file's name without its ending, with its folder where two files share one.
        summary: The first line of its docstring.
        files: Itself and all it needs, in order of path.
        needs: Packages that these files import from outside, some of them only when used.
    """

    name: str
    path: PurePosixPath
    summary: str
    files: tuple[PurePosixPath, ...]
    needs: tuple[str, ...]

    @property
    def command(self) -> str:
        """What copies it."""
        return f"python -m core copy {self.name} --to DIR"


def patterns(root: Path = CORE) -> dict[str, Pattern]:
    """Return every pattern by name, in the order of folders and names."""
    paths = [*_in_folders(root), *(path for path in _also(root) if path.parent == root)]
    names = [_unit(path).stem for path in paths]
    found: dict[str, Pattern] = {}
    for path, name in zip(paths, names, strict=True):
        unique = name if names.count(name) == 1 else f"{_unit(path).parent.name}/{name}"
        found[unique] = _pattern(root, unique, path)
    return found


def find(name: str, root: Path = CORE) -> Pattern:
    """Return the pattern that is called `name`, with or without its folder.

    Raises:
        UnknownPattern: There is none.
    """
    known = patterns(root)
    for pattern in known.values():
        if name in (pattern.name, str(pattern.path.with_suffix("")), str(pattern.path)):
            return pattern
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise UnknownPattern(f"there is no pattern {name!r}; {meant}")


def listing(root: Path = CORE) -> list[dict[str, object]]:
    """Return the patterns as plain values, for programs that read JSON."""
    return [
        {**asdict(p), "path": str(p.path), "files": [str(f) for f in p.files], "command": p.command}
        for p in patterns(root).values()
    ]


def catalogue(root: Path = CORE) -> str:
    """Return the patterns as a Markdown table."""
    lines = ["| I want … | file | it needs | copy it |", "| --- | --- | --- | --- |"]
    for p in patterns(root).values():
        says = p.summary.replace("|", "\\|")
        others = f" and {len(p.files) - 1} more" if len(p.files) > 1 else ""
        outside = ", ".join(p.needs) or "nothing"
        lines.append(f"| {says} | [`{p.path}`]({p.path}){others} | {outside} | `{p.command}` |")
    return "\n".join(lines)


def with_catalogue(text: str, root: Path = CORE) -> str:
    """Return `text`, a README, with the table between its two marks made anew.

    Raises:
        ValueError: The marks are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text has no {BEGIN} … {END} to write the table between")
    return f"{before}{begin}\n\n{catalogue(root)}\n\n{end}{after}"


def rewrite(readme: Path, root: Path = CORE) -> bool:
    """Bring the table in a README up to date; return whether that changed anything."""
    before = readme.read_text("utf-8")
    after = with_catalogue(before, root)
    if after != before:
        readme.write_text(after, "utf-8")
    return after != before


def _in_folders(root: Path) -> Iterator[Path]:
    """Yield the modules of the folders, except those that are there for a module beside them."""
    for folder in FOLDERS:
        files = [*(root / folder).glob("*.py"), *(root / folder).glob("*/__init__.py")]
        modules = sorted({*files} - {root / folder / "__init__.py"}, key=_unit)
        parts = {part for module in modules for part in imported(module, root) - {module}}
        yield from (module for module in modules if module not in parts - {*_also(root)})


def _also(root: Path) -> list[Path]:
    names = [(f"{name}.py", f"{name}/__init__.py") for name in ALSO]
    return [path for each in names for one in each if (path := root / one).exists()]


def _pattern(root: Path, name: str, path: Path) -> Pattern:
    files = sorted(closure(path, root))
    return Pattern(
        name=name,
        path=PurePosixPath(_unit(path).relative_to(root).as_posix()),
        summary=summary(path),
        files=tuple(PurePosixPath(file.relative_to(root).as_posix()) for file in files),
        needs=needs(files),
    )


def _unit(path: Path) -> Path:
    return path.parent if path.name == "__init__.py" else path
