"""Other processes, for tests: forked, given something to do, and asked what came of it."""

import json
import os
import signal
import warnings


def in_child(work):
    """Run `work` in a forked process; return what it returned, through JSON, or fail with it."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest's threads hold no lock here
        pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)  # a child that hangs ends, and says nothing
        try:
            said = {"returned": work()}
        except BaseException as error:
            said = {"raised": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    return pid, reading


def said(child):
    """Wait for a child and return what it said."""
    pid, reading = child
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    found = json.loads(text)
    assert "returned" in found, found
    return found["returned"]
