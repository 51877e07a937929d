"""What every test may rely on: no network but this machine, no keys, no window on a screen."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

# Beside the tests lie programs and what tests share; there is nothing to collect in those.
collect_ignore = [
    file.name for file in Path(__file__).parent.glob("*.py") if not file.name.startswith("test_")
]

os.environ["MPLBACKEND"] = "Agg"
settings.register_profile("shared", deadline=None, print_blob=True)
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """A connection that would leave this machine fails, and says where it was going."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test must not connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    """A key in the developer's environment reaches no test."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN", "_SECRET")):
            monkeypatch.delenv(name)
