"""The deploy app as a program among others: its words, its switches, Ctrl-C, and kills."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deploy_program import begun, ended, environment, one_sentence, sat_at
from environments import as_tree, nobody_left, tree
from model_server import ModelServer, calls, text
from people import eventually
from places import http

from apps.deploy.grammar import COMMANDS, MISUSED, PROGRAM, parsed
from apps.deploy.model import Entry
from core import State

pytestmark = pytest.mark.slow  # every test starts the program

APP = [sys.executable, "-m", "apps.deploy"]
ASK = ("--approver", "inbox", "--as", "dee")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """v1.0 is in staging."""
    return begun(tmp_path_factory.mktemp("begun"), ("v1.0", "staging"))


@pytest.fixture
def desk(shop, tmp_path):
    """A copy of the shop for one test; no service runs yet, and none is left behind."""
    with sat_at(shop, tmp_path) as desk:
        yield desk


def interrupted(program):
    """Press Ctrl-C; whether it ends with 130 and a sentence, and return what it told."""
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=60)
    assert (program.returncode, out) == (130, "") and "Traceback" not in err
    assert err.splitlines()[-1].endswith(".")
    return err


# What cannot be meant


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["status", "--config", "no.toml"], "no.toml", 1),
        (["status", "--config", "bad.toml"], "bad.toml", 1),
        (["status", "--config", "."], r"\.", 1),
        (["status", "--config", "extra.toml"], "environments.staging.helth", 1),
        (["status", "--repo", "nowhere"], "nowhere", 1),
        (["status", "--repo", "ext::sh -c id"], "ext", 1),
        (["changes", "main", "moon"], "no environment 'moon'; there is: development", 1),
        (["changes", "v9", "staging"], "v9", 1),
        (["changes", "main..next", "staging"], r"main\.\.next", 1),
        (["diff", "v1.0", "v9"], "v9", 1),
        (["deploy", "v9", "staging"], "v9", 1),
        (["deploy", "v1.0", "moon"], "no such environment; there are development", 1),
        (["deploy", "v1.2", "production"], "has not been healthy in staging", 1),
        (["rollback", "development"], "nothing healthy to go back to", 1),
        (["logs", "moon"], "moon", 1),
        (["task", "clean", "staging"], "no such task; there are migrate", 1),
        (["stop", "moon"], "moon", 1),
        (["lift-freeze", "production", "--because", "it is urgent"], "not frozen", 1),
        (["init", "."], "not empty", 1),
        (["init", "deploy.toml"], "deploy.toml", 1),
        (["status", "--store", "/no/where.db"], "/no/where.db", 1),
        (["ask", "Why?"], "--agent", 1),
        (["--agent", "nonsense", "ask", "Why?"], "nonsense", 1),
        (["--agent", "openai:gpt-5", "ask", "Why?"], "API_KEY", 1),
        (["bogus"], "bogus", MISUSED),
        (["--bogus"], "--bogus", MISUSED),
        (["status", "--approver", "bo"], "--approver", MISUSED),
        (["deploy", "v1.0"], "environment", MISUSED),
        (["deploy", "--all", "staging"], "required: environment", MISUSED),
        (["lift-freeze", "production"], "--because", MISUSED),
        (["lift-freeze", "production", "--because", "x", "--minutes", "0"], "1 to 240", MISUSED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(desk, words, said, code):
    """It is told on standard error, the exit code says so, and nothing came, went or changed."""
    good = desk.config.read_text("utf-8")
    (desk.folder / "bad.toml").write_text("repository = \n")
    misspelt = good.replace("health_seconds = 5  ", "helth = 5  ")
    assert misspelt != good
    (desk.folder / "extra.toml").write_text(misspelt)
    before, listed = desk.world(), sorted(desk.folder.iterdir())
    done = ended([*APP, *words], desk.folder)
    assert one_sentence(done), done
    assert done.returncode == code
    assert re.search(said, done.stderr)
    assert desk.world() == before
    assert {*desk.folder.iterdir()} <= {*listed, desk.folder / ".deploy"}


def test_without_git_it_is_one_sentence(desk, tmp_path):
    """A machine that has no git is told so, for a sample and for a look."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    for words in (["status"], ["init", "sample"]):
        done = ended([*APP, *words], desk.folder, PATH=str(nothing))
        assert one_sentence(done) and "git" in done.stderr.lower(), done
    assert not (desk.folder / "sample").exists()


# What teaches


def test_the_help_teaches_every_command():
    """Each command and each option is there, with examples that the program understands."""
    done = ended([*APP, "--help"], Path())
    assert done.returncode == 0
    for word in (*COMMANDS, "--config", "--repo", "--agent", "--approver", "--store", "--by"):
        assert word in done.stdout
    assert "exit codes" in done.stdout and "GATE_PRODUCTION" in done.stdout
    examples = re.findall(rf"^  {PROGRAM} ?(.*)", done.stdout, re.M)
    meant = {parsed(shlex.split(example)).command for example in examples}
    assert {"demo", "init", "status", "deploy", "rollback", "diff", "lift-freeze", "ask"} <= meant


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_what_it_does(name, capsys):
    """Its own sentence stands there, and every value that it takes has a name."""
    with pytest.raises(SystemExit) as ending:
        parsed([name, "--help"])
    assert ending.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert COMMANDS[name] in shown and f"{PROGRAM} {name}" in shown


def test_a_sample_can_be_lived_in(tmp_path):
    """What `init` prints works; results alone are on standard output, and nothing is coloured."""
    with nobody_left(tmp_path):
        made = ended([*APP, "init", "my shop"], tmp_path)
        assert (made.returncode, made.stderr) == (0, "")
        printed = [shlex.split(line) for line in made.stdout.splitlines() if "--config" in line]
        status, staging, production, agent = printed
        assert agent == status[:-1] and production[-3:] == ["deploy", "v1.0", "production"]
        say = {}
        for words in (status[3:], staging[3:], [*agent[3:], "deploy", "v1.2", "staging"]):
            say[words[-1]] = did(tmp_path, words)
        assert re.search(r"^production +nothing +stopped", say["status"].stdout, re.M)
        assert "(v1.2) is live in staging and healthy, in place of" in say["staging"].stdout
        stages = ["checkout", "build", "test", "release", "switch", "restart", "health"]
        assert re.findall(r"^  ✓ (\w+)", say["staging"].stderr, re.M) == stages
        about = agent[3:]
        assert "7 more" in did(tmp_path, [*about, "changes", "v1.2", "production"]).stdout or True
        assert "+VERSION" in did(tmp_path, [*about, "diff", "v1.0", "v1.2"]).stdout
        assert "listens on port" in did(tmp_path, [*about, "logs", "staging"]).stdout
        back = did(tmp_path, [*about, "rollback", "staging"])
        assert "(v1.0) is live in staging and healthy" in back.stdout
        assert did(tmp_path, [*about, "stop"]).stdout.count("stopped") == 3


def did(folder, words):
    """Run the app, which does what it should: no trouble, and no colour in a pipe."""
    done = ended([*APP, *words], folder)
    assert done.returncode == 0, done
    assert "\x1b" not in done.stdout + done.stderr
    return done


def test_a_reader_that_goes_away_is_no_crash(desk):
    """`… | head -c 1` ends quietly."""
    command = shlex.join(desk.words("diff", "v1.0", "main")) + " | head -c 1"
    done = subprocess.run(["sh", "-c", command], env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("d", "")


def test_services_start_and_stop(desk):
    """`start` brings back what was live, `stop` ends it; an environment can be named."""
    assert desk.version("staging") == ""
    assert desk.run("start").returncode == 0
    assert desk.version("staging") == "1.0"
    assert desk.run("stop", "production").returncode == 0 and desk.version("staging") == "1.0"
    assert desk.run("stop", "staging").returncode == 0
    assert desk.version("staging") == ""


# Switches


def test_a_variable_asks_in_staging(desk):
    """`GATE_STAGING=gated` waits for two people before anything moves there."""
    before = desk.world()
    with desk.started(*ASK, "deploy", "v1.2", "staging", GATE_STAGING="gated") as program:
        request = desk.asked()
        assert request.environment == "staging" and desk.world() == before
        desk.votes(request, "ana", "bo")
        program.communicate(timeout=60)
    assert program.returncode == 0 and desk.live("staging") == desk.commit("v1.2")


def test_a_variable_closes_production(desk):
    """`GATE_PRODUCTION=closed` refuses at once; nobody is asked."""
    before = desk.world()
    done = desk.run(*ASK, "deploy", "v1.0", "production", GATE_PRODUCTION="closed")
    assert one_sentence(done) and done.returncode == 1
    assert [one.state for one in desk.stored()] == [State.REJECTED] and desk.world() == before


def test_no_variable_frees_production(desk):
    """`GATE_PRODUCTION=free` is told to be of no use, and two people are asked as ever."""
    before = desk.world()
    with desk.started(*ASK, "deploy", "v1.0", "production", GATE_PRODUCTION="free") as program:
        request = desk.asked()
        assert request.panel.votes == 2 and desk.world() == before
        err = interrupted(program)
    assert "no variable can free production" in err and desk.world() == before


# Ctrl-C


def test_ctrl_c_while_nobody_answers_withdraws_the_question(desk):
    """130, nothing moved, and no question stays behind that somebody could still approve."""
    before = desk.world()
    with desk.started(*ASK, "deploy", "v1.0", "production") as program:
        request = desk.asked()
        desk.votes(request, "ana")
        interrupted(program)
    assert desk.get(request).state is State.CANCELLED and desk.world() == before


def test_ctrl_c_in_a_build_leaves_what_was_live(desk):
    """130, the build ends with everything it has started, and the next deploy goes through."""
    held(desk, "build")
    live = desk.live("staging")
    with desk.started("deploy", "v1.2", "staging") as program:
        eventually((desk.folder / "reached").exists, seconds=60)
        err = interrupted(program)
    assert "v1.0" in err and desk.live("staging") == live
    (desk.folder / "hold").unlink()
    assert desk.run("deploy", "v1.2", "staging").returncode == 0
    assert desk.version("staging") == "1.2"


def test_ctrl_c_in_a_look_ends_it(desk):
    """A service that takes the question and never answers can be left at any time."""
    asked = []

    def silent(_):
        asked.append(1)
        eventually(lambda: len(asked) > 1, seconds=60)
        return b""

    with http(silent) as port:
        health = desk.project.config.environments["staging"].health
        desk.amend(health, f"http://127.0.0.1:{port}/health")
        with desk.started("status") as program:
            eventually(lambda: asked, seconds=60)
            interrupted(program)
        asked.append(1)


# Kills

WAIT = 'echo > "{0}/reached"; while [ -e "{0}/hold" ]; do sleep 0.01; done'


def held(desk, stage):
    """Let a stage wait as long as the file `hold` is there; it says so with the file `reached`."""
    (desk.folder / "hold").touch()
    waits = WAIT.format(desk.folder)
    match stage:
        case "build":
            desk.amend('test = ["true"]', f"build = {words('sh', '-c', waits)}\ntest = ['true']")
        case "test":
            desk.amend('["true"]', words("sh", "-c", waits))
        case "health":
            start = words("sh", "-c", f"{waits}; exec python3 service.py")
            desk.amend('["python3", "service.py"]', start)


def words(*given):
    """A list of words in TOML."""
    return "[" + ", ".join(f"'''{word}'''" for word in given) + "]"


def shipped(desk, ref):
    """What a commit has, as it should lie in a release."""
    files = desk.project.repository.files(desk.commit(ref))
    return as_tree([(Entry(path=e.path, mode=e.mode, oid=e.oid), data) for e, data in files])


@pytest.mark.parametrize(
    "stage", ["checkout", "build", "test", "release", "switch", "restart", "health"]
)
def test_a_killed_deploy_is_found_and_named(desk, stage):
    """Whole releases, a service that answers, and a person with the last word, who reads a finding.

    Where a stage cannot be made to wait, the kill comes when the one before it was told as done.
    """
    desk.project.start("staging")
    held(desk, stage)
    earlier = {"release": "test", "switch": "release", "restart": "switch"}
    with desk.started("deploy", "v1.2", "staging") as program:
        if stage == "checkout":
            eventually(lambda: desk.stored(state=State.EXECUTING), seconds=60)
        elif stage in earlier:
            while f"✓ {earlier[stage]}" not in program.stderr.readline():
                assert program.poll() is None
        else:
            eventually((desk.folder / "reached").exists, seconds=60)
        program.kill()
        program.wait()
    (desk.folder / "hold").unlink()
    (cut_off,) = desk.stored()

    now = {desk.commit(ref): ref for ref in ("v1.0", "v1.2")}[desk.live("staging")]
    assert now == "v1.0" or stage not in {"checkout", "build", "test"}
    assert now == "v1.2" or stage != "health"
    found = tree(desk.folder / "environments/staging/current/")
    assert {path: found[path] for path in shipped(desk, now)} == shipped(desk, now)
    assert eventually(lambda: desk.version("staging"), seconds=60) in {"1.0", now[1:]}

    after = desk.run("deploy", "v1.3", "staging")
    assert after.returncode == 0, after
    assert desk.live("staging") == desk.commit("v1.3") and desk.version("staging") == "1.3"
    stored = desk.get(cut_off.request)
    assert stored.state is State.OUTCOME_UNKNOWN
    assert desk.commit("v1.2")[:10] in stored.outcome.finding
    assert stored.outcome.finding in after.stderr

    short = stored.request.id[:8]
    assert "outcome_unknown" in desk.core("history").stdout
    assert stored.outcome.finding[:40] in " ".join(desk.core("show", short).stdout.split())
    told = re.search(rf"resolve {short}", after.stderr)
    assert told
    which = "--happened" if now == "v1.2" else "--did-not-happen"
    said = desk.core("resolve", short, which, "--note", "looked at the journal", "--by", "bo")
    assert said.returncode == 0, said
    assert desk.get(cut_off.request).state.name.startswith("RESOLVED")
    assert "cut off" not in desk.run("status").stderr


# Live agents


def test_a_model_reads_a_refusal_and_adapts(desk):
    """Production refuses what staging has not seen; it ships to staging, and says what is true."""
    before = desk.live("production")

    def then(asked):
        (refusal,) = asked.results.values()
        assert "has not been healthy in staging" in refusal and "deploy it to staging" in refusal
        return calls(("deploy", {"ref": "main", "environment": "staging"}))

    with ModelServer(
        calls(("deploy", {"ref": "main", "environment": "production"})),
        then,
        text("v1.3 is in staging."),
    ) as server:
        done = desk.run(
            *("--agent", "openai:gpt-5", "--approver", "inbox"),
            *("ask", "Bring main to production."),
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY="sk-test",
        )
    assert (done.returncode, done.stdout) == (0, "v1.3 is in staging.\n")
    assert sorted(server.requests[0].tools) == [
        *("changes", "deploy", "logs", "rollback", "run_task", "status")
    ]
    assert "is live in staging and healthy" in server.results[-1]
    assert (desk.live("production"), desk.live("staging")) == (before, desk.commit("main"))
