"""A TPC-H database with its 22 questions, made offline at test time; a plugin for tests that ask.

DuckDB 2.0 has no TPC-H extension without a network, but the wheels of 1.5 carry one, so another
process with that version makes the file. It is kept in pytest's cache for the next run.
"""

import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = ["duckdb==1.5.5", "duckdb-extension-tpch==1.5.5"]

MAKE = """
import json, sys
from pathlib import Path
import duckdb, duckdb_extension_tpch
folder = sys.argv[1]
(extension,) = Path(duckdb_extension_tpch.__file__).parent.rglob("tpch.duckdb_extension")
con = duckdb.connect(f"{folder}/tpch.duckdb")
con.execute(f"LOAD '{extension}'")
con.execute("CALL dbgen(sf = 0.01)")
queries = con.execute("SELECT query FROM tpch_queries() ORDER BY query_nr").fetchall()
answers = con.execute(
    "SELECT answer FROM tpch_answers() WHERE scale_factor = 0.01 ORDER BY query_nr").fetchall()
con.close()
with open(f"{folder}/tpch.json", "w", encoding="utf-8") as file:
    json.dump({"queries": [q for q, in queries], "answers": [a for a, in answers]}, file)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tpch:
    """The database, its questions in order, and what each must answer as text with `|`."""

    path: Path
    queries: tuple[str, ...]
    answers: tuple[str, ...]


@pytest.fixture(scope="session")
def tpch(request, tmp_path_factory):
    """The TPC-H database at scale 0.01; a test that changes it works on a copy."""
    cache = getattr(request.config, "cache", None)
    kept = (cache.mkdir("tpch") if cache else tmp_path_factory.mktemp("tpch")) / "sf001"
    if not (kept / "tpch.json").exists():
        make(kept)
    texts = json.loads((kept / "tpch.json").read_text("utf-8"))
    # A read locks the file against writers, and several test processes share the kept one.
    path = tmp_path_factory.mktemp("tpch-copy") / "tpch.duckdb"
    shutil.copyfile(kept / "tpch.duckdb", path)
    return Tpch(path=path, queries=tuple(texts["queries"]), answers=tuple(texts["answers"]))


def make(kept):
    """Build the folder beside its place and move it there whole, whoever else does the same."""
    part = kept.with_name(f"part-{secrets.token_hex(4)}")
    part.mkdir(parents=True)
    try:
        tools = part / "duckdb15"
        installer = ["pip"] if importlib.util.find_spec("pip") else ["uv", "pip"]
        run(sys.executable, "-m", *installer, "install", "-q", "--target", str(tools), *PACKAGES)
        run(sys.executable, "-c", MAKE, str(part), env={**os.environ, "PYTHONPATH": str(tools)})
        shutil.rmtree(tools)
        try:
            part.rename(kept)
        except OSError:
            assert (kept / "tpch.json").exists()
    finally:
        shutil.rmtree(part, ignore_errors=True)


def run(*words, env=None):
    """Run a program, and fail with all that it said if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    assert done.returncode == 0, f"no TPC-H database: {done.stdout}{done.stderr}"
