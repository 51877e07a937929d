"""What `deploy.toml` says in one place and takes back in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from .settings import Here, Settings, There

Environments: TypeAlias = Mapping[str, Here | There]


def contradictions(environments: Environments, said: Settings) -> Iterator[str]:
    """Yield one sentence for each problem; `environments` have absolute paths already."""
    yield from _without_start(environments, said)
    yield from _without_people(environments, said)
    yield from _strange_needs(environments)
    yield from _strange_freezes(environments, said)
    yield from _shared_folders(environments)


def _without_start(environments: Environments, said: Settings) -> Iterator[str]:
    here = [name for name, one in environments.items() if isinstance(one, Here)]
    if here and said.commands.start is None:
        yield (
            f"commands.start is missing, and environments.{here[0]} needs it:"
            ' write start = ["python3", "service.py"] below [commands].'
        )


def _without_people(environments: Environments, said: Settings) -> Iterator[str]:
    protected = [name for name, one in environments.items() if one.protected]
    people = said.people.release_managers if said.people else ()
    twice = next((name for name in people if people.count(name) > 1), "")
    if twice:
        yield f"people.release_managers names {twice} twice: name each person once."
    elif protected and len(people) < 2:
        yield (
            f"people.release_managers has to name at least two, as environments.{protected[0]} is"
            ' protected: write release_managers = ["ana", "bo"] below [people].'
        )


def _strange_needs(environments: Environments) -> Iterator[str]:
    needs = {name: one.needs for name, one in environments.items() if one.needs}
    for name, needed in needs.items():
        if needed not in environments:
            others = ", ".join(other for other in environments if other != name)
            yield f"environments.{name}.needs names {needed!r}, which is none of: {others or '-'}."
            continue
        way = [name]
        while (following := needs.get(way[-1], "")) and following not in way:
            way.append(following)
        if following == name:
            circle = " needs ".join([*way, name])
            yield f"environments.{name}.needs goes in a circle, so nothing could begin: {circle}."


def _strange_freezes(environments: Environments, said: Settings) -> Iterator[str]:
    for number, window in enumerate(said.freeze, 1):
        for name in sorted({*window.environments} - environments.keys()):
            known = ", ".join(environments)
            yield f"freeze #{number}.environments names {name!r}, which is none of: {known}."


def _shared_folders(environments: Environments) -> Iterator[str]:
    """Yield environments that would write over each other."""
    seen: dict[str, tuple[str, Path]] = {}
    for name, one in environments.items():
        host = f"{one.host}:{one.port}" if isinstance(one, There) else ""
        folder = Path(one.folder) if host else Path(one.folder).resolve()
        for other, (its_host, its_folder) in seen.items():
            if host == its_host and (
                folder.is_relative_to(its_folder) or its_folder.is_relative_to(folder)
            ):
                yield (
                    f"environments.{name}.folder lies in that of environments.{other}, or around"
                    " it: give each a folder of its own."
                )
        seen[name] = (host, folder)
