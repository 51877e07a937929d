"""Production as release managers meet it: one program that asks, and windows in which they answer.

Every window is real: the command line and the dashboard are processes of their own, the terminal
is a pseudo-terminal. What counts is what is live afterwards.
"""

import re
import shlex
import sys
from datetime import UTC, datetime, timedelta

import pexpect
import pytest
from deploy_program import Browser, begun, ended, environment, house, one_sentence, sat_at
from people import Background, eventually

from apps.deploy.approvals import gated
from apps.deploy.sample import advance
from core import NotAnswered, State, run
from core.approvers.deadline import Deadline
from core.approvers.inbox import Inbox
from core.stores.open import open_store

pytestmark = pytest.mark.slow  # every test starts programs

ASK = ("--approver", "inbox", "--as", "dee")
SHIP = ("deploy", "v1.2", "production")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """v1.0 is in production; v1.2 and v1.3 were healthy in staging too."""
    earlier = [("v1.0", "staging"), ("v1.0", "production"), ("v1.2", "staging")]
    return begun(tmp_path_factory.mktemp("begun"), *earlier, ("v1.3", "staging"))


@pytest.fixture
def desk(shop, tmp_path):
    """A copy of the shop for one test; no service runs yet, and none is left behind."""
    with sat_at(shop, tmp_path) as desk:
        yield desk


def finished(program):
    """Wait for the end of a program; return its code, its result, and what it told."""
    out, err = program.communicate(timeout=60)
    assert "Traceback" not in err
    return program.returncode, out, err


def people_of(stored):
    """Who has approved a request, and where."""
    return {vote.by: vote.window.split()[0] for vote in stored.votes}


# Two people


def test_it_goes_live_with_the_second_person(desk):
    """Ana alone changes nothing, however often she says it; then bo agrees on the web."""
    desk.project.start("production")
    before = desk.world()
    with desk.started(*ASK, *SHIP) as program, house(desk, "ana", "bo") as (where, _):
        request = desk.asked()
        assert desk.says("approve", request, "ana").returncode == 0
        assert "with 1 of 2 votes" in desk.says("approve", request, "Ana ").stdout
        with Browser(where, "ana") as ana:
            ana.says("approve", request)
        stored = desk.get(request)
        assert (stored.state, people_of(stored)) == (State.PENDING, {"ana": "command"})
        assert desk.world() == before and desk.version("production") == "1.0"
        with Browser(where, "bo") as bo:
            assert bo.says("approve", request).status_code == 200
        code, out, _ = finished(program)
    assert code == 0 and "is live in production and healthy" in out
    assert desk.live("production") == desk.commit("v1.2")
    assert desk.version("production") == "1.2"
    assert desk.journal("production")[-1] == ("healthy", desk.commit("v1.2"))
    stored = desk.get(request)
    assert stored.state is State.SUCCEEDED
    assert people_of(stored) == {"ana": "command", "bo": "dashboard"}
    assert desk.core("verify").returncode == 0


def test_who_asks_and_who_is_no_release_manager_does_not_count(desk):
    """Ana asked, so neither she nor her agent decides; dee ships nothing either, in any window."""
    before = desk.world()
    with (
        desk.started("--approver", "inbox", "--as", "ana", *SHIP) as program,
        house(desk, "ana", "dee") as (where, _),
    ):
        request = desk.asked()
        for name in ("ana", "ANA", "agent", "dee"):
            said = desk.says("approve", request, name)
            assert one_sentence(said), said
        for name in ("ana", "dee"):
            with Browser(where, name) as browser:
                assert browser.says("approve", request).status_code == 409
        assert one_sentence(desk.says("reject", request, "dee", "--reason", "I say so"))
        stored = desk.get(request)
        assert stored.state is State.PENDING and stored.votes == ()
        assert desk.says("reject", request, "bo", "--reason", "after lunch").returncode == 0
        code, out, err = finished(program)
    assert (code, out) == (1, "") and "rejected by bo: after lunch. It was not run." in err
    assert desk.world() == before


def test_a_reason_on_the_web_is_what_the_program_says(desk):
    """One no is enough, also after a yes; nothing has moved, and a late yes changes nothing."""
    before = desk.world()
    with desk.started(*ASK, *SHIP) as program, house(desk, "bo") as (where, _):
        request = desk.asked()
        desk.votes(request, "ana")
        with Browser(where, "bo") as bo:
            bo.says("reject", request, reason="ship v1.1 first")
        code, out, err = finished(program)
    assert (code, out) == (1, "") and "rejected by bo: ship v1.1 first." in err
    late = desk.says("approve", request, "chi")
    assert one_sentence(late) and "rejected" in late.stderr.lower()
    assert desk.world() == before


def test_without_a_word_about_it_there_are_two_windows(desk):
    """The program prints a link that lets in once, and a command; each is good for one vote."""
    with desk.started("--as", "dee", "--by", "chi", *SHIP) as program:
        request, said = desk.asked(), []
        while not (len(said) >= 2 and "approve" in said[-1]):
            said.append(program.stderr.readline())
        link = re.search(r"http\S+/once/\S+", "".join(said))[0]
        with Browser(link.partition("/login")[0], link=link) as chi:
            assert chi.says("approve", request).status_code == 200
        command = shlex.split(said[-1].partition(": ")[2])
        assert command[:3] == ["python", "-m", "core"] and command[-2:] == ["--by", "NAME"]
        words = [sys.executable, *command[1:-1], "bo", "--yes"]
        assert ended(words, desk.folder).returncode == 0
        code, _, _ = finished(program)
    assert code == 0 and desk.live("production") == desk.commit("v1.2")
    assert people_of(desk.get(request)) == {"chi": "dashboard", "bo": "command"}


def test_a_dashboard_that_dies_takes_no_vote_with_it(desk):
    """Chi has voted there; it is killed; the program waits on, and bo's word is the second."""
    with desk.started(*ASK, *SHIP) as program:
        request = desk.asked()
        with house(desk, "chi") as (where, process):
            with Browser(where, "chi") as chi:
                chi.says("approve", request)
            process.kill()
            process.wait()
        assert program.poll() is None
        assert desk.says("approve", request, "bo").returncode == 0
        code, _, _ = finished(program)
    assert code == 0 and desk.live("production") == desk.commit("v1.2")


def test_silence_changes_nothing(desk):
    """One of two has spoken when time is up: nobody answered, and a late yes ships nothing."""
    before = desk.world()
    desk.store.parent.mkdir(exist_ok=True)
    with open_store(str(desk.store)) as store:
        patient = Deadline(Inbox(store), seconds=1.0)
        tools = gated(desk.project, patient, store=store)
        with run("r", acting_for="dee"), Background(tools.deploy, *SHIP[1:]) as waiting:
            request = desk.asked()
            assert desk.says("approve", request, "ana").returncode == 0
        assert isinstance(waiting.error, NotAnswered)
    late = desk.says("approve", request, "bo")
    assert one_sentence(late)
    assert desk.world() == before


def test_an_edit_ships_in_its_place_and_faces_the_same_rules(desk):
    """What staging has not seen and what there is not, bo is told; v1.2 is approved and ships."""
    before = desk.world()
    with desk.started(*ASK, "deploy", "main", "production") as program:
        first = desk.asked()
        assert first.arguments["ref"] == desk.commit("v1.3")
        for ref, why in (("v1.1", "not been healthy in staging"), ("v9", "v9"), ("--all", "--all")):
            said = desk.says("edit", first, "bo", "--set", f"ref={ref}")
            assert said.returncode == 1 and why in said.stdout + said.stderr, said
            assert desk.get(first).request.digest == first.digest
        said = desk.says("edit", first, "bo", "--set", "ref=v1.2")
        assert said.returncode == 0, said
        second = desk.get(first).request
        assert second.arguments["ref"] == desk.commit("v1.2") and second.digest != first.digest
        old = desk.core("approve", first.id[:8], "--by", "ana", "--digest", first.digest[:8])
        assert one_sentence(old) and desk.get(first).votes == () and desk.world() == before
        desk.votes(second, "ana", "bo")
        code, out, _ = finished(program)
    assert code == 0 and "as edited by bo" in out
    assert desk.live("production") == desk.commit("v1.2")


# The world moves on


def test_the_branch_moves_and_what_was_approved_ships(desk):
    """While people think, two more commits arrive on main; what they saw is what is live."""
    shown = desk.commit("main")
    with desk.started(*ASK, "deploy", "main", "production") as program:
        request = desk.asked()
        advance(desk.folder / "shop")
        assert desk.commit("main") != shown
        desk.votes(request, "ana", "bo")
        code, _, _ = finished(program)
    assert code == 0 and desk.live("production") == shown
    assert any(shown in remark and "main" in remark for remark in request.remarks)


def test_another_release_goes_live_and_people_are_asked_again(desk):
    """What two approved is withdrawn; the new question shows the new difference, and counts."""
    with desk.started(*ASK, *SHIP) as program:
        first = desk.asked()
        desk.project.deploy("v1.3", "production")
        desk.votes(first, "ana", "bo")
        second = desk.asked(first)
        assert desk.get(first).state is State.CANCELLED
        assert desk.live("production") == desk.commit("v1.3")
        assert desk.get(second).votes == ()
        assert any(remark.startswith("asked again") for remark in second.remarks)
        assert desk.commit("v1.3")[:10] in second.preview.summary
        assert desk.commit("v1.0")[:10] in first.preview.summary
        desk.votes(second, "ana", "chi")
        code, _, _ = finished(program)
    assert code == 0 and desk.live("production") == desk.commit("v1.2")


# Freezes


def test_two_people_lift_a_freeze_and_two_approve_the_deploy(desk):
    """Frozen, nobody is asked; chi asks to lift it, ana and bo agree, and then they are asked."""
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=2), today + timedelta(days=2)
    desk.amend("first = 2020-01-01\nlast = 2020-01-02", f"first = {first}\nlast = {last}")
    before = desk.world()
    refused = desk.run(*ASK, *SHIP)
    assert refused.returncode == 1 and refused.stdout == ""
    assert f"{last + timedelta(days=1)} 00:00" in refused.stderr
    assert [one.state for one in desk.stored()] == [State.REJECTED] and desk.world() == before

    lift = ("lift-freeze", "production", "--because", "the shop is down", "--minutes", "30")
    with desk.started("--approver", "inbox", "--as", "chi", *lift) as program:
        asked = desk.asked()
        assert one_sentence(desk.says("approve", asked, "chi"))
        assert desk.says("approve", asked, "ana").returncode == 0
        assert desk.is_frozen("production")
        assert desk.says("approve", asked, "bo").returncode == 0
        assert finished(program)[0] == 0
    assert not desk.is_frozen("production")
    assert asked.preview.quotes[0].text == "the shop is down"

    with desk.started(*ASK, *SHIP) as program:
        request = desk.asked()
        assert desk.world() == before
        desk.votes(request, "ana", "bo")
        assert finished(program)[0] == 0
    assert desk.live("production") == desk.commit("v1.2")


# At a terminal


def test_one_vote_here_and_one_from_elsewhere(desk):
    """Ana presses a and y; the program waits for a second person, and goes on when bo agrees."""
    terminal = pexpect.spawn(
        sys.executable,
        desk.words("--approver", "terminal", "--as", "dee", "--by", "ana", *SHIP)[1:],
        cwd=str(desk.folder),
        env=environment(TERM="xterm"),
        dimensions=(500, 100),
        encoding="utf-8",
        timeout=30,
    )
    terminal.expect_exact("r reject > ")
    shown, before = terminal.before, desk.world()
    assert desk.commit("v1.2")[:10] in shown and "Version 1.2" in shown
    terminal.send("a")
    terminal.expect_exact("approve? y yes, n no > ")
    terminal.send("y")
    request = desk.asked()
    eventually(lambda: desk.get(request).votes, seconds=30)
    assert people_of(desk.get(request)) == {"ana": "terminal"} and desk.world() == before
    assert desk.says("approve", request, "bo").returncode == 0
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert desk.live("production") == desk.commit("v1.2")
    assert people_of(desk.get(request)) == {"ana": "terminal", "bo": "command"}
