"""The sample's service as its first release has it: a page, a health check, a guest book."""

from __future__ import annotations

SERVICE = '''\
"""The shop's website: one page, and a health check for whoever runs it."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import pages
import storage

VERSION = "1.0"


class Website(BaseHTTPRequestHandler):
    def do_GET(self):
        status, kind, text = answer(self.path)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    request_queue_size = 50

    def server_bind(self):
        # Not HTTPServer's own, which may wait for a name server.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address


def answer(path):
    """Return status, kind and text of a page."""
    if path == "/health":
        return health()
    if path == "/":
        return 200, "text/html", pages.front(VERSION, storage.greetings())
    return 404, "text/plain", "There is no such page.\\n"


def health():
    """200 as long as people can be served, 503 with the reason when not."""
    problem = storage.problem()
    text = json.dumps({"version": VERSION, "healthy": not problem, "problem": problem})
    return (503 if problem else 200), "application/json", text


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Website)
    print(f"shop {VERSION} listens on port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
'''

PAGES = '''\
"""What visitors see."""

from configparser import ConfigParser
from html import escape
from pathlib import Path

SETTINGS = Path(__file__).with_name("shop.ini")


def setting(name):
    settings = ConfigParser()
    settings.read(SETTINGS)
    return settings["shop"][name]


def front(version, greetings):
    title = escape(setting("title"))
    return f"""<!doctype html>
<title>{title}</title>
<h1>{title}</h1>
{guest_book(greetings)}
<footer>version {version}</footer>
"""


def guest_book(greetings):
    if not greetings:
        return "<p>The guest book is empty.</p>"
    items = "".join(f"<li>{escape(text)} ({escape(name)})</li>" for name, text in greetings)
    return f"<ul>{items}</ul>"
'''

STORAGE = '''\
"""What the shop remembers: a SQLite file in `data`, the folder that all releases share."""

import sqlite3
from contextlib import closing
from pathlib import Path

FILE = Path(__file__).resolve().parent / "data" / "shop.db"


def rows(query, file=None):
    """Return what a query finds; nothing while its table still waits for `migrate.py`."""
    file = file or FILE
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file, timeout=5)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def greetings(file=None):
    return rows("SELECT name, text FROM greetings ORDER BY id", file)


def problem(file=None):
    """Return why nothing can be remembered, or nothing."""
    try:
        rows("SELECT 1", file)
    except (sqlite3.Error, OSError) as error:
        return f"the database does not answer: {error}"
    return ""
'''

MIGRATE = '''\
"""Bring the database up to date: run each file in `migrations` once, by the order of names."""

import sqlite3
from contextlib import closing
from pathlib import Path

import storage

FOLDER = Path(__file__).resolve().parent / "migrations"


def migrate(file=storage.FILE, folder=FOLDER):
    """Return the names of the files that were run; all of them count, or none does."""
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        done = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        new = [path for path in sorted(folder.glob("*.sql")) if path.name not in done]
        for path in new:
            for statement in statements(path.read_text("utf-8")):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?)", [path.name])
        connection.execute("COMMIT")
        return [path.name for path in new]


def statements(script):
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


if __name__ == "__main__":
    names = migrate()
    for name in names:
        print(f"applied {name}")
    if not names:
        print("nothing to do, the database is up to date")
'''

GREETINGS = """\
CREATE TABLE greetings (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL);
INSERT INTO greetings (name, text) VALUES ('Ines', 'The blue mug is my favourite.');
INSERT INTO greetings (name, text) VALUES ('Karim', 'Came for tea, left with a pot.');
"""

SETTINGS = """\
[shop]
title = The tea shop
"""

PROJECT = """\
[project]
name = "tea-shop"
dynamic = ["version"]
requires-python = ">=3.9"
dependencies = []
"""

READ_ME = """\
# The tea shop

    PORT=8000 python3 service.py    the website
    python3 migrate.py              bring the database up to date
    python3 -m unittest -q          the tests

It needs Python and nothing else. What has to outlive a release lies in `data`.
"""
