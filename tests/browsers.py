"""Real browsers for tests: one Chromium, a window of their own for each person, and a server.

    python -m tests.browsers      # find a browser or install one, and say which

A test module takes what it needs by name:

    browser, person, served = browsers.browser, browsers.person, browsers.served

Playwright's sync interface keeps an event loop running in the thread of the tests, where nobody
else could start one any more: so the browser lives for a module, not for the whole session.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS_TO_INSTALL = 600
MILLISECONDS = 10_000
PHONE = {"width": 360, "height": 740}


class NoBrowser(Exception):
    """There is no browser and none could be installed; the message says what to do."""


def found(own):
    """Return the path of a browser, or `None`; `own` is where Playwright keeps its."""
    named = (shutil.which(name) for name in NAMES)
    return next((path for path in [*named, own] if path and Path(path).exists()), None)


def installed(own):
    """Return the path of a browser, installing one when there is none.

    Raises:
        NoBrowser: It could not be installed.
    """
    with Path(tempfile.gettempdir(), f"browser-{os.getuid()}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several workers find at once that there is none
        tried = []
        for command in commands():
            if path := found(own):
                return path
            print(f"There is no browser here: {' '.join(command)}", file=sys.stderr, flush=True)
            tried.append(problem(command))
        if path := found(own):
            return path
    raise NoBrowser(
        "No browser was found and none could be installed, and tests need one. On Debian: apt"
        f" install chromium; elsewhere: python -m playwright install chromium ({'; '.join(tried)})"
    )


def commands():
    """Yield ways to get a browser, in the order in which to try them."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        yield ["apt-get", "update", "-qq"]
        yield ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"]
    yield [sys.executable, "-m", "playwright", "install", "chromium"]


def problem(command):
    """Run a command and return how it ended, in a few words."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_TO_INSTALL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
    return f"{' '.join(command[:3])}: status {done.returncode} {last}".strip()


@pytest.fixture(scope="module")
def browser():
    """One Chromium for the tests of a module; without one they fail."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = installed(playwright.chromium.executable_path)
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def person(browser, request):
    """Return a function that opens a window for one more person, with cookies of their own.

    A test fails when a page breaks, when its security policy stops something, or when it opens a
    dialog that nobody expected. When a test fails, pictures of its windows stay behind.
    """
    failed = request.session.testsfailed
    windows, problems = [], []

    def opened(**options):
        context = browser.new_context(**options)
        context.set_default_timeout(MILLISECONDS)
        windows.append(context)
        context.on("page", lambda page: watched(page, problems))
        return context.new_page()

    yield opened
    if request.session.testsfailed > failed:
        photographed(request.node.name, windows)
    found = [*problems]
    for context in windows:
        closed(context)
    assert not found, "\n".join(found)


def closed(context):
    """Close a person's windows. One that is closed on its way to another page may never be."""
    for page in context.pages:
        with contextlib.suppress(Exception):  # a page that asks whether it may go has no say
            page.goto("about:blank")
    context.close()


def watched(page, problems):
    """Note what goes wrong on a page; answers with an error status are for the tests to see."""

    def heard(message):
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            problems.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: problems.append(str(error)))


def photographed(name, windows):
    """Leave a picture of every open page in a temporary folder, and say where."""
    folder = Path(tempfile.mkdtemp(prefix="browser-"))
    pages = [page for context in windows for page in context.pages]
    for number, page in enumerate(pages, 1):
        with contextlib.suppress(Exception):  # a page that is gone has no picture
            page.screenshot(path=folder / f"{number}.png", full_page=True, timeout=MILLISECONDS)
    print(f"{name}: {len(pages)} pictures in {folder}", file=sys.stderr)


@pytest.fixture
def served():
    """Return a function that serves an ASGI application and says where; it ends with the test."""
    with contextlib.ExitStack() as servers:
        yield lambda app: servers.enter_context(serving(app))


@contextlib.contextmanager
def serving(app):
    """Serve `app` on a free port of this machine, in a thread; yield the address."""
    import uvicorn

    door = socket.create_server(("127.0.0.1", 0))
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        door.close()
        assert not thread.is_alive(), "the server does not end"


def main():
    """Find or install a browser and say where it is."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    try:
        print(f"The tests' browser: {found(own) or installed(own)}")
    except NoBrowser as nothing:
        print(nothing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
