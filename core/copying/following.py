"""Follow the imports of a file to all that has to come along when it is copied.

Only relative imports are followed: they are what works under any package name. A folder that is a
package of its own, such as a dashboard with its templates, is one thing and comes whole.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CORE = Path(__file__).parent.parent
FOLDERS = ("policies", "approvers", "stores", "runners")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """What a file says of itself and of others.

    Attributes:
        summary: The first line of its docstring.
        relative: Its relative imports.
        outside: The first part of every absolute import, the standard library's too.
    """

    summary: str
    relative: tuple[ast.ImportFrom, ...]
    outside: frozenset[str]


def closure(path: Path, root: Path = CORE) -> frozenset[Path]:
    """Return `path` and every file that it needs, however far away.

    Raises:
        LookupError: A relative import leads to no file below `root`.
    """
    needed, todo = set[Path](), {path}
    while todo:
        for found in _whole(todo.pop(), root):
            if found not in needed:
                needed.add(found)
                todo |= imported(found, root) - needed
    return frozenset(needed)


def imported(path: Path, root: Path = CORE) -> set[Path]:
    """Return the files that `path` itself imports relatively, inside functions too."""
    if path.suffix != ".py":
        return set()
    return {file for node in _read(path).relative for file in _targets(node, path, root)}


def needs(files: Iterable[Path]) -> tuple[str, ...]:
    """Return the packages from elsewhere that `files` import, some of them only when used."""
    outside = {name for file in files if file.suffix == ".py" for name in _read(file).outside}
    return tuple(sorted(outside - sys.stdlib_module_names))


def summary(path: Path) -> str:
    """Return the first line of the docstring of `path`."""
    return _read(path).summary


def _whole(path: Path, root: Path) -> list[Path]:
    """Return `path`, or all that lies in its package when that is below one of the folders."""
    parts = path.relative_to(root).parts
    if len(parts) < 3 or parts[0] not in FOLDERS:
        return [path]
    package = root.joinpath(*parts[:2])
    return [file for file in package.rglob("*") if file.is_file() and _is_kept(file, package)]


def _is_kept(file: Path, package: Path) -> bool:
    parts = file.relative_to(package).parts
    return not any(part.startswith(".") or part == "__pycache__" for part in parts)


def _targets(node: ast.ImportFrom, path: Path, root: Path) -> Iterator[Path]:
    """Yield the files that `from …module import names` in `path` loads."""
    package = path.parents[node.level - 1]
    base = package.joinpath(*node.module.split(".")) if node.module else package
    if not base.is_relative_to(root):
        raise LookupError(f"{path}, line {node.lineno}: imports from outside {root}")
    if node.module and (module := base.with_name(f"{base.name}.py")).exists():
        yield module
        return
    for alias in node.names:
        inside = base / alias.name
        places = (
            inside.with_name(f"{alias.name}.py"),
            inside / "__init__.py",
            base / "__init__.py",
        )
        if not (found := [place for place in places if place.exists()]):
            raise LookupError(f"{path}, line {node.lineno}: {alias.name} is nowhere below {root}")
        yield found[0]


def _read(path: Path) -> _Text:
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, _: int) -> _Text:
    """Parse a file once, and again when its time of writing has changed."""
    tree = ast.parse(path.read_text("utf-8"), filename=str(path))
    nodes = list(ast.walk(tree))
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return _Text(
        summary=(ast.get_docstring(tree) or "").partition("\n")[0],
        relative=tuple(node for node in froms if node.level),
        outside=frozenset(name.partition(".")[0] for node in nodes for name in _absolute(node)),
    )


def _absolute(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(level=0, module=str(module)):
            return [module]
        case ast.Call(
            func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            return [module]
        case _:
            return []
