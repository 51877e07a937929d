"""A very small shop for tests: a repository, a `deploy.toml`, and a service that starts at once.

- `shop(folder)` makes it and returns the path of its `deploy.toml`.
- `release_of(folder, files, **more)` adds a commit and returns its id.
- `tree(folder)` and `stored(folder, sha)` say what lies in a release, and what the commit has.
"""

import os
import socket
import subprocess
from pathlib import Path

import repositories

SERVICE = b"""
import json, os, socketserver, sys
from pathlib import Path

HERE = Path(__file__).parent


class Page(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        status = int((HERE / "health").read_text())
        body = json.dumps({"commit": os.environ["COMMIT"], "in": os.environ["ENVIRONMENT"]})
        head = f"HTTP/1.1 {status} x\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
        self.wfile.write((head + body).encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


print("serving \\x1b[2K" + os.environ["RELEASE"], flush=True)
Server(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""
FILES = {
    "service.py": SERVICE,
    "health": b"200",
    "run.sh": ("100755", b"#!/bin/sh\nexit 0\n"),
    "latest": ("120000", b"health"),
    "deep/er/file.bin": bytes(range(256)),
    b"odd-\xff-name": b"bytes\r\n",
    ".gitattributes": b"* text=auto filter=none export-ignore\n",
}
CONFIG = """
repository = "shop"
keep = {keep}
[commands]
build = ["sh", "-c", "test ! -e build.sh || sh build.sh"]
test = ["sh", "-c", "test ! -e test.sh || sh test.sh"]
start = ["python3", "-IS", "service.py"]
seconds = {seconds}
[tasks.tell]
run = ["sh", "-c", "echo $ENVIRONMENT $COMMIT; pwd; cat health; exit $(cat code 2>/dev/null)"]
[tasks.sleep]
run = ["sleep", "60"]
seconds = 0.3
[people]
release_managers = ["ana", "bo"]
{more}
[environments.staging]
folder = "environments/staging"
health = "http://127.0.0.1:{ports[0]}/health"
health_seconds = {health_seconds}
shared = ["data"]
env = {{ PORT = "{ports[0]}" }}
[environments.production]
protected = true
needs = "staging"
folder = "environments/production"
health = "http://127.0.0.1:{ports[1]}/health"
health_seconds = {health_seconds}
env = {{ PORT = "{ports[1]}" }}
"""


def shop(folder, *, keep=3, seconds=20, health_seconds=5, more=""):
    """Make a shop of one commit, tagged `v1`; nothing is deployed."""
    repositories.empty(folder / "shop")
    release_of(folder, FILES, tag="v1")
    config = folder / "deploy.toml"
    ports = free_ports(2)
    config.write_text(
        CONFIG.format(
            keep=keep, seconds=seconds, health_seconds=health_seconds, more=more, ports=ports
        ),
        "utf-8",
    )
    return config


def release_of(folder, files, *, tag="", branch="main", minute=0, message="change"):
    """Add a commit to the shop and return its id."""
    named = {name: data.encode() if isinstance(data, str) else data for name, data in files.items()}
    sha = repositories.commit(folder / "shop", named, message, branch=branch, minute=minute)
    if tag:
        repositories.tag(folder / "shop", tag, sha)
    return sha


def free_ports(number):
    """Return ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def tree(folder):
    """Return what lies in a release: path, in bytes, to mode and bytes; shared links left out."""
    found = {}
    for at, folders, names in os.walk(folder):
        here = Path(at)
        for path in [here / name for name in names + folders]:
            key = os.fsencode(path.relative_to(folder))
            if path.is_symlink():
                found[key] = ("120000", os.fsencode(path.readlink()))
            elif path.is_file():
                mode = "100755" if path.stat().st_mode & 0o100 else "100644"
                found[key] = (mode, path.read_bytes())
    found.pop(b"data", None)
    return found


def stored(folder, sha):
    """Return what a commit has, as git stores it, in the form of `tree`."""
    found = {}
    listed = repositories.git(folder / "shop", "ls-tree", "-rz", sha)
    for line in listed.rstrip(b"\0").split(b"\0"):
        about, _, path = line.partition(b"\t")
        mode, _, oid = about.decode().split()
        words = ["git", "-C", folder / "shop", "cat-file", "blob", oid]
        found[path] = (mode, subprocess.run(words, capture_output=True, check=True).stdout)
    return found
