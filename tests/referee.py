"""An independent Stripe to compare with: npm's `stripe-stateful-mock`, run on this machine.

    python -m tests.referee      # install it where it is kept, and say where

It lies in a folder of its own outside the tree, and is installed once. It was written by others
for an older version of Stripe's API, which is what makes it worth asking.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE, VERSION = "stripe-stateful-mock", "0.0.16"
SECONDS_TO_INSTALL = 300
# npm knows authorities of its own; those of the machine count as well.
AUTHORITIES = {"NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"}
START = """
const app = require(process.argv[1]).createExpressApp();
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


class NoReferee(Exception):
    """It is not there and could not be installed; the message says what to do."""


def kept():
    """Return the folder in which it is installed, or will be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gated-agents" / f"{PACKAGE}-{VERSION}"


def installed():
    """Return the folder of the package, installing it when it is not there.

    Raises:
        NoReferee: It could not be installed.
    """
    folder = kept()
    package = folder / "node_modules" / PACKAGE
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several workers find at once that it is missing
        if not package.exists():
            _install(folder)
    return package


def _install(folder):
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        tried = [problem(command) for command in commands(fresh)]
        made = Path(fresh) / "node_modules"
        if not (made / PACKAGE / "package.json").exists():
            raise NoReferee(
                "The referee of the sandbox could not be installed, and its tests need it: put"
                f" node and npm on the PATH and let npm reach its registry ({'; '.join(tried)})"
            )
        shutil.rmtree(folder, ignore_errors=True)
        Path(fresh).rename(folder)
        Path(fresh).mkdir()  # for its owner, who clears it away


def commands(folder):
    """Yield what has to be run, in order."""
    if not (shutil.which("npm") and shutil.which("node")) and os.geteuid() == 0:
        yield ["apt-get", "update", "-qq"]
        yield ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "nodejs", "npm"]
    quiet = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    yield ["npm", "install", *quiet, "--prefix", folder, f"{PACKAGE}@{VERSION}"]


def problem(command):
    """Run a command and return how it ended, in a few words."""
    environment = {**AUTHORITIES, **os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_TO_INSTALL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
    return f"{' '.join(command[:2])}: status {done.returncode} {last}".strip()


@contextlib.contextmanager
def refereeing():
    """Run the referee on a free port of this machine; yield its address."""
    package = installed()
    command = ["node", "-e", START, str(package)]
    quiet = {"PATH": os.environ["PATH"], "LOG_LEVEL": "silent"}
    with subprocess.Popen(command, env=quiet, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(_port(process))}"
        finally:
            process.kill()


def _port(process):
    for line in process.stdout:
        if line.strip().isdigit():
            return line
    raise NoReferee("The referee of the sandbox does not start: node says why above.")


def main():
    """Install it, and say where it lies."""
    try:
        print(f"The referee: {installed()}")
    except NoReferee as nothing:
        print(nothing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
