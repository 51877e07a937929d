"""Which kinds of file can break more than code does, by their names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

# A glob without a slash is about a file's name, one with a slash about its whole path; `*` goes
# across folders, and `**/` in front stands for any folder or none.
_GLOBS: Mapping[str, Sequence[str]] = {
    "migration": (
        *("**/migrations/*.py", "**/migrations/*.sql", "**/migrations/*.[jt]s"),
        *("**/migrate/*.rb", "**/migrate/*.sql", "**/alembic/*", "**/db/migration/*"),
        *("**/db/migrate/*", "**/db/schema.rb", "**/db/structure.sql", "**/prisma/schema.prisma"),
        *("**/prisma/migrations/*", "**/liquibase/*", "**/changelog/*.sql", "**/changelog/*.xml"),
        *("[vur][0-9]*__*.sql", "r__*.sql", "migrate.*", "migration*.sql"),
    ),
    "deploy": ("deploy.toml",),
    "dependencies": (
        *("requirements*.txt", "requirements*.in", "**/requirements/*.txt", "constraints*.txt"),
        *("pyproject.toml", "setup.py", "setup.cfg", "pipfile", "environment.y*ml", "conda*.y*ml"),
        *("*.lock", "*.lockb", "*-lock.json", "*-lock.y*ml", "*.lock.json", "npm-shrinkwrap.json"),
        *("package.json", "pnpm-workspace.yaml", ".npmrc", ".yarnrc*", "bower.json", "deno.json*"),
        *("cargo.toml", "go.mod", "go.sum", "go.work*", "gemfile", "gemfile.*", "*.gemspec"),
        *("pom.xml", "build.gradle*", "settings.gradle*", "libs.versions.toml", "build.sbt"),
        *("composer.json", "mix.exs", "*.csproj", "packages.config", "directory.packages.props"),
        *("package.swift", "package.resolved", "podfile", "dockerfile*", "*.dockerfile"),
        *("containerfile*", ".gitmodules", ".python-version", ".nvmrc", ".tool-versions"),
    ),
    "configuration": (
        *("*.env", ".env*", "*.ini", "*.cfg", "*.conf", "*.cnf", "*.toml", "*.yaml", "*.yml"),
        *("*.properties", "*.tf", "*.tfvars", "*.hcl", "**/settings.py", "**/settings/*.py"),
        *("config.py", "config.js*", "config.ts", "**/config/*", "appsettings*.json", "*.service"),
        *("**/nginx/*", "**/apache2/*", "**/helm/*", "**/ansible/*", "procfile", "makefile"),
        *("jenkinsfile*", ".gitattributes", "**/.github/workflows/*", "**/.circleci/*"),
        *("crontab*", "*.nix", "vercel.json", "netlify.toml", "web.config"),
    ),
}
_ORDER = ("migration", "deploy", "dependencies", "configuration")
_SINGULAR = {"migrations": "migration", "dependency": "dependencies", "deploys": "deploy"}


def kinds_of(paths: Sequence[str], rules: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Yield the index of a path and its kind; a path has one of the known kinds at most.

    Args:
        rules: Globs by kind, on top of those that are known. A kind may be new.
    """
    own = [(_SINGULAR.get(kind, kind), _pattern(globs)) for kind, globs in rules.items()]
    for index, path in enumerate(paths):
        mine = [kind for kind, pattern in own if pattern.fullmatch(path)]
        known = next((kind for kind in _ORDER if kind in mine or _is_known(kind, path)), "")
        yield from ((index, kind) for kind in dict.fromkeys([known, *mine]) if kind)


def _is_known(kind: str, path: str) -> bool:
    return _known(kind).fullmatch(path) is not None


@cache
def _known(kind: str) -> re.Pattern[str]:
    return _pattern(_GLOBS[kind])


def _pattern(globs: Iterable[str]) -> re.Pattern[str]:
    """Translate globs to one pattern; letters count the same in both cases."""
    return re.compile("|".join(_translated(glob) for glob in globs) or r"(?!)", re.IGNORECASE)


def _translated(glob: str) -> str:
    """Translate one glob.

    >>> bool(re.fullmatch(_translated("migrations/*"), "migrations/0001_first.sql"))
    True
    """
    is_anywhere = "/" not in glob or glob.startswith("**/")
    anywhere = "(?s:.*/)?" if is_anywhere else ""
    return anywhere + fnmatch.translate(glob.removeprefix("**/"))
