"""A release comes stage by stage; what goes wrong leaves a healthy one live, and says which."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count

import pytest
from places import Dead, FakeTarget, files, http, place, response
from rich.console import Console

from apps.deploy.errors import CommandFailed, DeployError, Unhealthy, Unreachable
from apps.deploy.model import release_name, sha_of
from apps.deploy.pipeline import Pipeline
from apps.deploy.pipeline.finding import finding
from apps.deploy.pipeline.health import ask, wait_until_healthy
from apps.deploy.pipeline.journal import Event, events, proof, trusted, way_back, written
from apps.deploy.pipeline.plain import printable
from apps.deploy.pipeline.progress import Progress
from apps.deploy.pipeline.stages import Stages

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
A, B, C = ("a" * 40, "b" * 40, "c" * 40)


class House:
    """A target in memory with the pipeline to it; each release is a minute later than the last."""

    def __init__(self, target, port, folder, **options):
        self.target, self.told = target, []
        self.place = place(target, port, folder / "logs", **options)
        clock = count()
        self.pipeline = Pipeline(
            place=self.place,
            by="ana",
            called=lambda release: sha_of(release)[:4],
            now=lambda: START + timedelta(minutes=next(clock)),
            tell=self.told.append,
        )

    def ship(self, sha, some=None):
        """Ship a commit and return the name of its release."""
        release = release_name(sha, self.pipeline.now())
        self.pipeline.ship(release, some or files())
        return release

    @property
    def journal(self):
        """Each event as a word and the first letter of its commit."""
        return [f"{event.kind} {event.commit[0]}" for event in self.place.journal()]

    @property
    def live(self):
        """The first letter of the commit that is current, and of the one that serves."""
        return sha_of(self.target.now_current)[:1], sha_of(self.target.serving or "")[:1]


@pytest.fixture
def make_house(tmp_path):
    """Make houses whose services answer over HTTP."""
    closing = []

    def make(**options):
        target = FakeTarget()
        served = http(target.answer)
        closing.append(served)
        return House(target, served.__enter__(), tmp_path, **options)

    yield make
    for served in closing:
        served.__exit__(None, None, None)


@pytest.fixture
def house(make_house):
    """A house in which nothing is live yet."""
    return make_house()


def test_stages_come_in_their_order(house):
    """Nothing is current before it is complete, nor called healthy before it has answered."""
    house.ship(A)
    steps = [call for call in house.target.calls if call not in {"append", "sweep"}]
    assert steps == ["begin", "run build", "run test", "complete", "switch", "restart"]
    assert house.journal == ["began a", "tested a", "completed a", "switched a", "healthy a"]
    done = [stage.name for stage in house.told if stage.state == "done"]
    assert done == ["checkout", "build", "test", "release", "switch", "restart", "health"]
    assert house.live == ("a", "a")


def test_commands_find_what_they_may_find(house):
    """The environment's own variables, and which release of which commit this is; no more."""
    release = house.ship(A)
    assert house.target.ran.env == {
        "PORT": house.place.settings.env["PORT"],
        "RELEASE": release,
        "COMMIT": A,
        "ENVIRONMENT": "staging",
    }
    assert house.target.ran.seconds == 5.0


def test_what_has_no_command_is_skipped_and_proves_nothing(make_house):
    """Without a test command nothing was tested, and the proof of the commit says so."""
    house = make_house(build=None, test=None)
    release = house.ship(A)
    skipped = [stage.name for stage in house.told if stage.state == "skipped"]
    assert skipped == ["build", "test"]
    assert "tested a" not in house.journal
    proven = house.place.proof(A)
    assert (proven.release, proven.tested_at, proven.is_live) == (release, None, True)


@pytest.mark.parametrize("call", ["begin", "run build", "run test", "complete"])
def test_what_fails_before_the_switch_touches_nothing(house, call):
    """The release that was live is live, the leftovers are gone, and the sentence says both."""
    before = house.ship(A)
    house.target.fails[call] = CommandFailed("it broke.")
    with pytest.raises(CommandFailed) as failed:
        house.ship(B)
    assert str(failed.value) == (
        "bbbb did not come to staging: it broke."
        " It was never current: aaaa is live there as before."
    )
    assert house.target.now_current == before and not house.target.unfinished
    assert house.journal[-1] == "failed b"
    assert house.place.proof(B) is None


def test_a_failing_command_is_quoted(house):
    """The last lines of its log are in the message, with nothing in them that moves a cursor."""
    some = files(breaks="test", prints="first\n\x1b[31mwrong\x1b[0m \x07 \u202egnp\n")
    with pytest.raises(CommandFailed) as failed:
        house.ship(A, some)
    assert str(failed.value) == (
        "aaaa did not come to staging: test ended with 1. It was never current: nothing is live"
        " there.\nIt printed last:\n  first\n  wrong \\x07 \\u202egnp"
    )
    [log] = house.place.logs.glob("*/test.log")
    assert log.read_bytes() == some[2][1]


def test_an_unhealthy_release_is_taken_back(house):
    """The last healthy one is live and serves, the error says so, and the journal tells it all."""
    house.ship(A)
    with pytest.raises(Unhealthy) as unhealthy:
        house.ship(B, files("503 no currency"))
    assert "bbbb was live in staging for a moment only: http://127.0.0.1:" in str(unhealthy.value)
    assert "status 503 (no currency)" in str(unhealthy.value)
    assert "staging is back at aaaa, which is healthy." in str(unhealthy.value)
    assert house.live == ("a", "a")
    assert house.journal[5:] == [
        *("began b", "tested b", "completed b", "switched b", "unhealthy b"),
        *("switched a", "healthy a", "returned a"),
    ]
    assert "): it was taken back." in finding(house.place, B, called=sha_of)


def test_two_bad_releases_are_never_each_others_way_back(house):
    """However many fail in a row, it goes back to the one that was healthy."""
    good = house.ship(A)
    for sha in (B, C, B):
        with pytest.raises(Unhealthy):
            house.ship(sha, files("500 bad"))
        assert house.target.now_current == good
    assert house.place.way_back() == ""


def test_the_first_release_of_all_has_no_way_back(house):
    """When it is not healthy it stays current, and the sentence says that nothing else was."""
    with pytest.raises(Unhealthy) as unhealthy:
        house.ship(A, files("500 bad"))
    assert str(unhealthy.value).startswith("aaaa is live in staging and not healthy: http://")
    assert str(unhealthy.value).endswith("so there is nothing to go back to.")
    assert house.target.now_current and house.journal[-1] == "unhealthy a"
    assert house.place.live().verdict == "unhealthy"


def test_a_way_back_that_is_ill_itself_is_told(house):
    """When the earlier release is not healthy any more, the message says what is current."""
    good = house.ship(A)
    house.target.complete_ones[good]["health"] = b"500 old and tired"
    with pytest.raises(Unhealthy) as unhealthy:
        house.ship(B, files("500 bad"))
    assert "bbbb is not healthy in staging" in str(unhealthy.value)
    assert "Going back failed as well:" in str(unhealthy.value)
    assert "old and tired" in str(unhealthy.value)
    assert str(unhealthy.value).endswith("Current there is aaaa.")
    assert house.journal[-2:] == ["switched a", "unhealthy a"]
    assert trusted(house.place.journal()) == ()


def test_a_service_that_does_not_start_is_taken_back(house):
    """A failing restart is no other matter than an unhealthy answer."""
    house.ship(A)
    house.target.fails_once["restart"] = CommandFailed("start could not be found.")
    with pytest.raises(CommandFailed, match=r"start could not be found\. staging is back at aaaa"):
        house.ship(B)
    assert house.live == ("a", "a")


def test_a_line_that_is_cut_leaves_nothing_unsaid(house):
    """When nobody can be reached after the switch, the message says that nobody knows."""
    house.ship(A)
    house.target.unreachable("restart", "current", "history", "append")
    with pytest.raises(Unreachable) as unreachable:
        cut_after_switch(house)
    assert "bbbb is not healthy in staging: memory cannot be reached." in str(unreachable.value)
    assert "What is current there cannot be found out: memory" in str(unreachable.value)


def cut_after_switch(house):
    """Ship, and let everything fail from the restart on."""
    later, house.target.fails = house.target.fails, {}
    switch = house.target.switch

    def cut(release):
        switch(release)
        house.target.fails = later

    house.target.switch = cut
    house.ship(B)


def test_a_line_that_is_cut_before_the_switch_touches_nothing(house):
    """Nothing can have changed before the switch, even if nobody can look any more."""
    house.ship(A)
    begin = house.target.begin

    def cut(release, some):
        house.target.unreachable("begin", "current", "history", "append")
        begin(release, some)

    house.target.begin = cut
    with pytest.raises(Unreachable, match=r"It was never current: aaaa is live there as before\.$"):
        house.ship(B)


CALLS = ("begin", "run build", "run test", "complete", "switch", "restart")


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_leaves_nothing_unsaid(house, call):
    """Whenever it comes, a healthy release is live afterwards, and the message names it."""
    house.ship(A)
    house.target.fails_once[call] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as stopped:
        house.ship(B)
    assert "Ctrl-C stopped it during" in str(stopped.value)
    assert "aaaa" in str(stopped.value)
    assert house.live == ("a", "a")


def test_ctrl_c_on_the_way_back_is_told_too(house, monkeypatch):
    """A second impatience ends everything, with a word on what is current."""
    house.ship(A)
    monkeypatch.setattr(house.target, "restart", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt) as stopped:
        house.ship(B)
    assert str(stopped.value).endswith(
        "Going back failed as well: Ctrl-C stopped it during restart. Current there is aaaa."
    )


def test_a_full_journal_stops_it_before_the_switch_only(house, monkeypatch):
    """Before, it is refused; after, the release stays, and a remark says what is missing."""
    append, lines = house.target.append, count(1)
    limit = 3

    def full(line):
        if next(lines) > limit:
            raise Unreachable("the disk is full.")
        append(line)

    monkeypatch.setattr(house.target, "append", full)
    shipped = house.pipeline.ship(release_name(A, START), files())
    assert house.live == ("a", "a")
    assert shipped.remarks == (
        "The journal does not say 'switched': the disk is full.",
        "The journal does not say 'healthy': the disk is full.",
    )
    assert house.place.live().verdict == "unknown"
    with pytest.raises(Unreachable, match="It was never current"):
        house.ship(B)
    assert house.live == ("a", "a")


def test_the_way_back_is_never_swept_away(make_house):
    """Even when only one release may stay, the last healthy one does."""
    house = make_house(keep=1)
    first = house.ship(A)
    for sha in (B, C):
        with pytest.raises(Unhealthy):
            house.ship(sha, files("500 bad"))
    assert house.target.now_current == first
    second = house.ship(B)
    assert house.target.releases() == [first, second]
    assert house.place.way_back() == first


def test_going_back_is_a_deploy_of_its_own(house):
    """It becomes current, serves and is checked; the one that was left is not the way forward."""
    first, second = house.ship(A), house.ship(B)
    assert house.place.way_back() == first
    shipped = house.pipeline.go_back(first)
    assert (shipped.release, shipped.before) == (first, second)
    assert house.live == ("a", "a")
    assert house.journal[-4:] == ["began a", "switched a", "healthy a", "returned a"]
    assert house.place.way_back() == ""
    assert house.place.proof(B) is None


def test_a_task_is_in_the_journal_before_and_after(house):
    """Whoever looks later finds that it began, and how it went."""
    release = house.ship(A, files(prints="moved 3 rows\n", breaks="boom"))
    stage, printed = house.pipeline.run_task(release, "migrate", ("migrate",), 5.0)
    assert (stage.name, printed) == ("task-migrate", "\nIt printed last:\n  moved 3 rows")
    with pytest.raises(
        CommandFailed, match=r"The task clean failed in aaaa in staging: boom ended"
    ):
        house.pipeline.run_task(release, "clean", ("boom",), 5.0)
    notes = [event.note for event in house.place.journal() if event.kind == "task"]
    assert notes[:3] == ["migrate began", "migrate done", "clean began"]
    assert notes[3].startswith("clean failed: boom ended with 1")


CUT_OFF = {
    "No deploy of bbbbbbbbbb",
    "had only begun",
    "had passed its tests",
    "had made a complete release",
    "it is current, but nobody has seen it healthy",
}
ENDS = {
    False: {"succeeded"},
    True: {
        "it was cut off before it was taken back",
        "but nobody has seen the earlier one healthy",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("bad", [False, True], ids=["healthy", "unhealthy"])
def test_a_deploy_may_be_killed_before_any_step(make_house, bad):
    """What is current is complete, the finding tells the truth, and the next deploy succeeds."""
    told = ""
    for step in count():
        house = make_house(seconds=0.15)
        house.ship(A)
        house.target.dies_at = len(house.target.calls) + step
        with suppress(Dead, DeployError, KeyboardInterrupt):
            house.ship(B, files("500 bad") if bad else files())
        if not house.target.is_dead:
            break
        house.target.dies_at, house.target.is_dead = None, False
        current = house.target.now_current
        assert current in house.target.complete_ones
        found = finding(house.place, B, called=lambda release: sha_of(release)[:4])
        told += found
        assert f"Current in staging is {sha_of(current)[:4]}." in found
        is_known = "began b" in house.journal
        assert found.startswith("The deploy of bbbb" if is_known else "No deploy of bbbb")
        assert ("it is current, but nobody" in found) == (
            sha_of(current) == B and not {"healthy b", "unhealthy b"} & {*house.journal}
        )
        assert ("succeeded" in found) == ("healthy b" in house.journal)
        assert ("): it was taken back." in found) == ("returned a" in house.journal)
        house.ship(C)
        assert house.live == ("c", "c") and not house.target.unfinished
    assert [words for words in CUT_OFF | ENDS[bad] if words not in told] == []


def test_a_finding_is_about_the_last_try(house):
    """Of three deploys of one commit, the last one counts; nothing begun is said as well."""
    with pytest.raises(CommandFailed):
        house.ship(A, files(breaks="test"))
    house.ship(A)

    def found(sha):
        return finding(house.place, sha, called=lambda release: sha_of(release)[:4])

    assert "succeeded" in found(A) and "is healthy right now" in found(A)
    assert found(B).startswith(
        "No deploy of bbbbbbbbbb to staging has begun. Current in staging is"
    )
    house.target.serving = None
    assert "is not healthy right now (it hung up without an answer)" in found(A)


# The journal


def event(kind, sha, minute, note="", number=0):
    """Return an event some minutes after the start."""
    release = release_name(sha, START + timedelta(days=number))
    at = START + timedelta(minutes=minute)
    return Event(kind=kind, at=at, release=release, by="ana", note=note)


def test_an_event_is_read_as_it_was_written():
    """A line says all of an event, whatever its note holds; a long note is cut."""
    one = event("failed", A, 1, 'line\nbreak "quoted" \u2028')
    assert "\n" not in written(one)
    assert events([written(one)]) == (one,)
    [cut] = events([written(event("failed", A, 1, "x" * 9_000))])
    assert cut.note == "x" * 500


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '{"kind":"healthy"}',
        written(event("healthy", A, 1)).replace("healthy", "wealthy"),
        written(event("healthy", A, 1)).replace(f'"commit":"{A}"', f'"commit":"{B}"'),
        written(event("healthy", A, 1)).replace("+00:00", ""),
        written(event("healthy", A, 1)).replace(A, "a"),
        "[" * 100_000,
    ],
)
def test_a_line_that_nobody_wrote_says_nothing(line):
    """It neither proves anything nor keeps the others from being read."""
    good = event("tested", A, 2)
    assert events([line, written(good)]) == (good,)


def test_a_proof_says_from_when_until_when():
    """A commit was healthy while it was current, from the answer of its service on."""
    journal = [
        event("tested", A, 1),
        event("switched", A, 2),
        event("healthy", A, 3),
        event("switched", B, 60),
        event("healthy", B, 61),
    ]
    over = proof(journal, A, "staging", current=event("healthy", B, 0).release)
    minutes = [START + timedelta(minutes=n) for n in (1, 3, 60)]
    assert [over.tested_at, over.healthy_from, over.healthy_until] == minutes
    assert not over.is_live
    still = proof(journal, B, "staging", current=event("healthy", B, 0).release)
    assert still.is_live and still.healthy_until is None
    assert proof(journal, C, "staging", current="") is None


def test_the_last_word_on_a_commit_counts():
    """What was healthy once and then was not, or was left by somebody, proves nothing."""
    healthy = event("healthy", A, 1)
    again = event("unhealthy", A, 5, number=1)
    left = event("returned", B, 5, note=healthy.release)
    assert proof([healthy], A, "staging", "")
    assert proof([healthy, again], A, "staging", "") is None
    assert proof([healthy, left], A, "staging", "") is None
    assert proof([again, event("healthy", A, 9, number=2)], A, "staging", "")


def test_only_what_is_still_there_is_a_way_back():
    """A healthy release that was swept away, or is current, is none."""
    first, second = event("healthy", A, 1), event("healthy", B, 2)
    journal, names = [first, second], [first.release, second.release]
    assert way_back(journal, current=names[1], complete=names) == names[0]
    assert way_back(journal, current=names[0], complete=names) == names[1]
    assert way_back(journal, current=names[1], complete=names[1:]) == ""


# Health

RELEASE = release_name(A, START)


def asked(answer, seconds=0.3):
    """Ask a service that answers like this once; return why it is not well."""
    with http(lambda _: answer) as port:
        return ask(f"http://127.0.0.1:{port}/health?deep=1", RELEASE, seconds=seconds)


@pytest.mark.parametrize(
    "answer",
    [
        response(200),
        response(204),
        response(200, b"\xff\xfe no text"),
        response(200, b'{"commit": 5, "release": null}'),
        response(200, b'{"commit": "%s"}' % A.encode()),
        response(200, b'{"commit": "%s"}' % A[:8].encode()),
        response(200, b'{"release": "%s"}' % RELEASE.encode()),
        response(200, b"[" * 60_000),
        response(200, b"x" * 3_000_000),
        b"HTTP/1.0 200 fine\r\n\r\nuntil the end",
    ],
)
def test_a_good_answer_is_believed(answer):
    """Any answer from 200 to 299 is healthy, whatever its body, if it names nobody else."""
    assert asked(answer) == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (response(503, b"no\x1b[2Kdatabase\nmore"), "status 503 (nodatabase)"),
        (response(500), "status 500"),
        (response(302), "status 302"),
        (b"", "it hung up without an answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no answer in HTTP (BadStatusLine)"),
        (b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nshort", "its answer ended in the middle"),
        (response(200, b'{"commit": "%s"}' % B.encode()), f"another commit answers: {B}"),
        (response(200, b'{"commit": "aaaa"}'), "another commit answers: aaaa"),
        (response(200, b'{"release": "old\\u001b"}'), "another release answers: old\\x1b"),
    ],
)
def test_a_bad_answer_says_why(answer, why):
    """What is wrong is told in a few words, with the first line of the body, made printable."""
    assert asked(answer) == why


def test_nobody_listening_is_told():
    """A service that is not there yet refuses the connection."""
    with http(lambda _: b"") as port:
        url = f"http://127.0.0.1:{port}/"
    assert ask(url, RELEASE, seconds=0.3) == "connection refused: nothing listens there"


def drops(*pieces):
    """Answer with pieces, and then a byte now and then for ever."""
    yield from pieces
    while True:
        time.sleep(0.02)
        yield b"x"


@pytest.mark.parametrize(
    "pieces", [[], [b"HTTP/1.1 200 x\r\nX: "], [b"HTTP/1.1 200 x\r\nContent-Length: 9999\r\n\r\n"]]
)
def test_an_answer_in_drops_ends_with_the_deadline(pieces):
    """A service that always has one more byte to send cannot hold anybody up."""
    began = time.monotonic()
    assert asked(drops(*pieces)) == "no whole answer within 0.3 s"
    assert time.monotonic() - began < 10


def test_a_silent_service_ends_with_the_deadline():
    """Who accepts and says nothing is given up in time."""

    def silent(_):
        time.sleep(0.5)
        return b""

    with http(silent) as port:
        why = ask(f"http://127.0.0.1:{port}/", RELEASE, seconds=0.2)
    assert why == "no whole answer within 0.2 s"


def test_health_goes_nowhere_else(monkeypatch):
    """Neither a proxy of the environment nor a redirect leads the question away."""
    elsewhere = []
    with http(lambda request: elsewhere.append(request) or response(200)) as other:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other}")
        away = b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:%d/\r\n\r\n" % other
        assert asked(away) == "status 302"
        assert asked(response(200)) == ""
    assert elsewhere == []


def test_health_asks_for_the_path_that_was_given():
    """Path and query arrive as they are in the configuration."""
    seen = []
    with http(lambda request: seen.append(request) or response(200)) as port:
        ask(f"http://127.0.0.1:{port}/health?deep=1", RELEASE, seconds=1)
        ask(f"http://127.0.0.1:{port}", RELEASE, seconds=1)
    assert [request.split(b" ")[:2] for request in seen] == [
        [b"GET", b"/health?deep=1"],
        [b"GET", b"/"],
    ]


def test_health_is_asked_until_it_is_there():
    """A service that needs three tries to start is healthy, and was asked three times."""
    tries = count(1)
    with http(lambda _: response(200 if next(tries) >= 3 else 503)) as port:
        assert wait_until_healthy(f"http://127.0.0.1:{port}/", RELEASE, seconds=5) == 3


def test_health_gives_up_in_time_with_the_last_reason():
    """The deadline counts for all tries together."""
    began = time.monotonic()
    with http(lambda _: response(503, b"warming up")) as port, pytest.raises(Unhealthy) as given_up:
        wait_until_healthy(f"http://127.0.0.1:{port}/", RELEASE, seconds=0.3)
    assert time.monotonic() - began < 10
    assert str(given_up.value).endswith("in 0.3 s and is not healthy: status 503 (warming up).")


# Logs and what is shown


def test_a_log_is_bounded(tmp_path, monkeypatch):
    """A command that never stops printing fills no disk."""
    monkeypatch.setattr("apps.deploy.pipeline.stages.MOST_LOGGED", 1_000)
    stages = Stages("staging", RELEASE, tmp_path)
    with stages.stage("build") as log:
        for _ in range(100):
            log(b"x" * 99 + b"\n")
    text = (tmp_path / "build.log").read_bytes()
    assert text == (b"x" * 99 + b"\n") * 10 + b"\n... the rest was not kept\n"


def test_a_log_that_cannot_be_written_stops_the_stage(tmp_path):
    """What nobody can read later does not run."""
    (tmp_path / "logs").write_text("no folder", "utf-8")
    stages = Stages("staging", RELEASE, tmp_path / "logs")
    refused = pytest.raises(Unreachable, match="The log of build cannot be written")
    with refused, stages.stage("build"):
        raise AssertionError("it ran")
    assert [(stage.name, stage.state) for stage in stages.done] == [("build", "failed")]


def test_a_screen_that_is_gone_undoes_nothing(house):
    """Whoever no longer listens to the stages does not keep a healthy release from staying."""

    def gone(_):
        raise BrokenPipeError

    house.pipeline = replace(house.pipeline, tell=gone)
    house.ship(A)
    assert house.live == ("a", "a") and house.journal[-1] == "healthy a"


def test_old_logs_go_away(house, monkeypatch):
    """Only those of the last releases are kept."""
    monkeypatch.setattr("apps.deploy.pipeline.pipeline.LOGS_KEPT", 2)
    for sha in (A, B, C, A, B):
        house.ship(sha)
    assert len(list(house.place.logs.iterdir())) <= 3


@pytest.mark.parametrize(
    "character", ["\x1b", "\r", "\u202e", "\u200b", "\x00", "\u2028", "\ud800"]
)
def test_nothing_invisible_is_printed(character):
    """What a command prints cannot move a cursor, hide, or go backwards."""
    assert printable(f"a{character}b").isprintable()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_stages_are_shown_as_they_happen(house, is_terminal):
    """On a terminal with colours and a spinner, elsewhere in plain lines without any."""
    shown = StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=100, color_system="standard")
    with Progress(console if is_terminal else Console(file=shown, width=100)) as progress:
        house.pipeline = replace(house.pipeline, tell=progress)
        house.ship(A)
        with pytest.raises(DeployError):
            house.ship(B, files(breaks="test"))
    text = shown.getvalue()
    assert ("\x1b[" in text) == is_terminal
    lines = [line.split()[:2] for line in text.splitlines()]
    if not is_terminal:
        assert lines[0] == ["staging:", "a" * 10]
        assert [name for mark, name in lines if mark == "✓"] == [
            *("checkout", "build", "test", "release", "switch", "restart", "health"),
            *("checkout", "build"),
        ]
        assert [name for mark, name in lines if mark == "✗"] == ["test"]
