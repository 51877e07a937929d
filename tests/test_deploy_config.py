"""What `deploy.toml` says is understood exactly, or refused with what to write instead."""

import hashlib
import json
import re
import tomllib
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.deploy.config import read
from apps.deploy.config.freezes import Dates, EachWeek, Frozen, first_instant, frozen
from apps.deploy.config.lifted import LONGEST, Freezes, Lifting
from apps.deploy.config.problems import EXAMPLES
from apps.deploy.config.settings import (
    Commands,
    Dated,
    Here,
    People,
    Settings,
    Task,
    There,
    Weekly,
    WorkingHours,
)
from apps.deploy.errors import ConfigError, DeployError
from apps.deploy.sample import make_sample

BERLIN = ZoneInfo("Europe/Berlin")
WHOLE = """
repository = "shop"
keep = 3
[commands]
build = ["make", "all"]
test = ["make", "test"]
start = ["python3", "service.py"]
seconds = 60
[tasks.migrate]
run = ["python3", "migrate.py"]
[attention]
migrations = ["migrations/*"]
[people]
release_managers = ["ana", "bo"]
[working_hours]
opens = "09:00"
closes = "17:00"
timezone = "Europe/Berlin"
days = ["monday", "friday"]
holidays = [2026-12-25]
[[freeze]]
environments = ["production"]
days = ["friday"]
from = "16:00"
until = "24:00"
timezone = "America/New_York"
because = "nobody is there on Saturday"
[[freeze]]
environments = ["production"]
first = 2026-12-21
last = 2027-01-03
because = "holidays"
[environments.staging]
folder = "environments/staging"
health = "http://127.0.0.1:8002/health"
env = { PORT = "8002" }
[environments.production]
protected = true
needs = "staging"
host = "deploy@web1.example"
folder = "/srv/shop"
known_hosts = "known_hosts"
key = "keys/id_ed25519"
restart = ["systemctl", "--user", "restart", "shop"]
health = "https://shop.example/health"
health_seconds = 30
shared = ["data", "var/uploads"]
"""
SMALL = """
repository = "shop"
[commands]
start = ["python3", "service.py"]
[environments.staging]
folder = "staging"
health = "http://127.0.0.1:8002/health"
"""


def written(folder, text):
    """Write a configuration and return its path."""
    path = folder / "deploy.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder, text):
    """Return the lines with which a configuration is refused."""
    with pytest.raises(ConfigError) as refused:
        read(written(folder, text))
    return str(refused.value).splitlines()


def test_all_that_can_be_said_is_understood(tmp_path):
    """Every key arrives as what it means, and paths begin where the file lies."""
    config = read(written(tmp_path, WHOLE))
    assert config.repository == str(tmp_path / "shop")
    assert (config.keep, config.commands.build, config.commands.seconds) == (3, ("make", "all"), 60)
    assert config.tasks["migrate"].run == ("python3", "migrate.py")
    assert config.attention == {"migrations": ("migrations/*",)}
    assert config.release_managers == ("ana", "bo")
    hours = config.working_hours
    assert (hours.opens, hours.closes, hours.timezone) == (time(9), time(17), BERLIN)
    assert (hours.days, hours.holidays) == ((0, 4), (date(2026, 12, 25),))
    assert config.freezes == (
        EachWeek(
            environments=frozenset({"production"}),
            days=frozenset({4}),
            begins=time(16),
            until=time(0),
            timezone=ZoneInfo("America/New_York"),
            because="nobody is there on Saturday",
        ),
        Dates(
            environments=frozenset({"production"}),
            first=date(2026, 12, 21),
            last=date(2027, 1, 3),
            timezone=BERLIN,
            because="holidays",
        ),
    )
    staging, production = config.environments["staging"], config.environments["production"]
    assert (staging.folder, staging.env) == (
        str(tmp_path / "environments/staging"),
        {"PORT": "8002"},
    )
    assert not staging.protected and production.protected and production.needs == "staging"
    assert (production.host, production.port, production.folder) == (
        "deploy@web1.example",
        22,
        "/srv/shop",
    )
    assert production.known_hosts == str(tmp_path / "known_hosts")
    assert production.key == str(tmp_path / "keys/id_ed25519")
    assert (production.health_seconds, production.shared) == (30, ("data", "var/uploads"))


def test_a_configuration_knows_its_file_and_its_bytes(tmp_path):
    """Path and SHA-256 are those of the file, so that a preview can be bound to them."""
    path = written(tmp_path, SMALL)
    config = read(path)
    assert (config.path, config.state) == (path, tmp_path / ".deploy")
    assert config.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_relative_name_of_the_file_still_means_where_it_lies(tmp_path, monkeypatch):
    """Paths in the file do not depend on how the file was named."""
    written(tmp_path, SMALL)
    monkeypatch.chdir(tmp_path)
    config = read(next(tmp_path.glob("*.toml")).relative_to(tmp_path))
    assert config.repository == str(tmp_path / "shop")


@pytest.mark.parametrize(
    "address", ["https://git.example/shop.git", "git@git.example:shop.git", "file:///srv/shop"]
)
def test_an_address_stays_an_address(tmp_path, address):
    """What is no path is taken as it is written."""
    text = SMALL.replace('"shop"', f'"{address}"')
    assert read(written(tmp_path, text)).repository == address


def test_another_repository_is_looked_for_where_the_program_was_started(tmp_path, monkeypatch):
    """A repository named on the command line lies beside the person, not beside the file."""
    path = written(tmp_path, SMALL)
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    assert read(path, repository="other").repository == str(tmp_path / "desk/other")


def test_the_sample_is_understood(tmp_path):
    """What `init` writes is a configuration, with a protected environment that needs another."""
    config = read(make_sample(tmp_path / "sample"))
    assert config.environments["production"].protected
    assert config.environments["production"].needs == "staging"


def test_a_missing_file_is_one_sentence(tmp_path):
    """Without a file the sentence says how to get one."""
    with pytest.raises(ConfigError, match=r"^There is no .*none\.toml: name one with --config"):
        read(tmp_path / "none.toml")


def test_a_mistake_of_syntax_has_a_line(tmp_path):
    """TOML that cannot be read says where; so does a byte that is no UTF-8."""
    assert refusal(tmp_path, "repository = \n") == [
        "deploy.toml is not TOML: Invalid value (at line 1, column 14)."
    ]
    path = tmp_path / "deploy.toml"
    path.write_bytes(b'repository = "shop"\n# caf\xe9\n')
    with pytest.raises(ConfigError, match=r"line 2 is not UTF-8"):
        read(path)


WRONG = {
    'keep = "5"': "keep has to be a whole number, not '5'.",
    "keep = true": "keep has to be a whole number, not True.",
    "keep = 0": "keep has to be from 1 to 1000, not 0.",
    "repository = 5": 'repository has to be a text in quotes, such as "8001", not 5.',
    "kep = 5": "kep is not known: is it keep?",
    'commands.start = "python3 x"': "commands.start has to be a list of words, such as"
    ' ["python3", "start.py"]: there is no shell.',
    "commands.build = []": "commands.build has to name a program first, as in"
    ' ["python3", "service.py"].',
    'commands.build = ["make", 5]': 'commands.build #2 has to be a text in quotes, such as "8001",'
    " not 5.",
    "commands.seconds = 0": "commands.seconds has to be more than 0 seconds and at most a day of"
    " 86400, not 0.",
    "commands.seconds = nan": "commands.seconds has to be more than 0 seconds and at most a day of"
    " 86400, not nan.",
    "tasks.Migrate.run = ['x']": "tasks.Migrate is no name that can be used: take a small letter,"
    " then small letters, digits, - and _.",
    "tasks.x.seconds = 5": 'tasks.x.run is missing: write run = ["python3", "migrate.py"].',
    "people.release_managers = []": "people.release_managers must not be empty: write"
    ' release_managers = ["ana", "bo"].',
    "people.release_managers = ['ana', 'ana']": "people.release_managers names ana twice: name each"
    " person once.",
    "working_hours.timezone = 'Mars'": "working_hours.timezone has to be a time zone such as"
    ' "Europe/Berlin" or "UTC", not \'Mars\'.',
    "working_hours.opens = '9:00'": 'working_hours.opens has to be a time from "00:00" to "23:59",'
    " not '9:00'.",
    "working_hours.days = ['Monday']": 'working_hours.days #1 has to be a day such as "friday", in'
    " small letters, not 'Monday'.",
    "working_hours.holidays = ['2026-12-25']": "working_hours.holidays #1 has to be a date without"
    " quotes, such as 2026-12-25, not '2026-12-25'.",
    "environments.staging.health = 'ftp://x'": "environments.staging.health has to be an address"
    " such as \"http://127.0.0.1:8001/health\", not 'ftp://x'.",
    "environments.staging.health = 'http://u:p@x/'": "environments.staging.health has to be an"
    " address without a name or a password in it.",
    "environments.staging.env.PORT = 8001": "environments.staging.env.PORT has to be a text in"
    ' quotes, such as "8001", not 8001.',
    "environments.staging.env.COMMIT = 'x'": "environments.staging.env.COMMIT is set for every"
    " command anyway: take another name.",
    "environments.staging.shared = ['../x']": "environments.staging.shared #1 has to be a folder"
    ' inside the release, such as "data" or "var/uploads", not \'../x\'.',
    "environments.staging.needs = 'x'": "environments.staging.needs names 'x', which is none of:"
    " -.",
    "environments.staging.protected = true": "people.release_managers has to name at least two, as"
    " environments.staging is protected: write"
    ' release_managers = ["ana", "bo"] below [people].',
    "environments.staging.stop = ['x']": "environments.staging.stop is not known: only protected,"
    " needs, health, health_seconds, shared, env, folder are.",
    "environments.staging.restart = ['x']": "environments.staging.host is missing: write host ="
    ' "deploy@web1.example".',
    "environments.Prod.folder = 'x'": "environments.Prod is no name that can be used: take a small"
    " letter, then small letters, digits, - and _.",
}


@pytest.mark.parametrize(("line", "sentence"), WRONG.items(), ids=WRONG)
def test_a_mistake_is_a_sentence_that_names_the_place(tmp_path, line, sentence):
    """Each sentence says where, what it has to be, and never more than that is wrong."""
    said = merged(tomllib.loads(SMALL), line)
    assert f"deploy.toml: {sentence}" in refusal(tmp_path, said)


HOURS = {"opens": "09:00", "closes": "17:00", "timezone": "UTC"}


def merged(said, line):
    """Return a small configuration with one more line in it, written without tables."""
    keys, _, value = line.partition(" = ")
    if keys.startswith("working_hours"):
        said["working_hours"] = dict(HOURS)
    place = said
    *above, last = keys.split(".")
    for key in above:
        place = place.setdefault(key, {})
    place[last] = f"\0{value}"
    return "\n".join(flat(said))


def flat(table, prefix=""):
    """Yield each value of nested tables as a line; what begins with a NUL is TOML already."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            text = value[1:] if str(value).startswith("\0") else repr(value)
            yield f"{prefix}{key} = {text}"


def test_every_mistake_is_told_at_once(tmp_path):
    """Whoever has made three mistakes reads three sentences, not one three times."""
    lines = refusal(tmp_path, 'repository = 5\nkeep = 0\nenvironments.a = 3\nwhat = "x"')
    places = [re.match(r"deploy\.toml: ([\w.]+)", line)[1] for line in lines]
    assert places == ["repository", "keep", "environments.a", "what"]


def test_a_service_here_needs_a_start(tmp_path):
    """Without `commands.start` there is nothing to run in a folder of this machine."""
    text = SMALL.replace('start = ["python3", "service.py"]', "")
    (line,) = refusal(tmp_path, text)
    assert line.startswith("deploy.toml: commands.start is missing, and environments.staging needs")


def test_a_host_needs_no_start(tmp_path):
    """Over SSH the host's own words restart the service, and [commands] may be missing."""
    text = """
    repository = "shop"
    [environments.far]
    host = "web1"
    folder = "/srv/shop"
    known_hosts = "known_hosts"
    restart = ["true"]
    health = "http://web1/"
    """
    assert read(written(tmp_path, text)).commands.start is None


@pytest.mark.parametrize(
    "host", ["-oProxyCommand=x", "a b", "a@b@c", "web1\\u0007", "", "user@-x", "ssh://web1"]
)
def test_a_host_is_a_host(tmp_path, host):
    """What looks like an option, an address or two hosts is refused."""
    text = SMALL + f'[environments.far]\nhost = "{host}"\n'
    assert any("environments.far.host has to be a host" in line for line in refusal(tmp_path, text))


@pytest.mark.parametrize("folder", ["staging", "./staging/", "staging/inner", "."])
def test_two_environments_never_share_a_folder(tmp_path, folder):
    """Nor does one lie in the other: they would write over each other."""
    text = SMALL + f'[environments.other]\nfolder = "{folder}"\nhealth = "http://x/"\n'
    (line,) = refusal(tmp_path, text)
    assert "environments.other.folder lies in that of environments.staging" in line


def test_a_link_to_a_folder_is_that_folder(tmp_path):
    """Two names of one folder are one folder."""
    (tmp_path / "staging").mkdir()
    (tmp_path / "alias").symlink_to("staging")
    text = SMALL + '[environments.other]\nfolder = "alias"\nhealth = "http://x/"\n'
    assert "environments.other.folder" in refusal(tmp_path, text)[0]


def test_needs_never_goes_in_a_circle(tmp_path):
    """Two environments that wait for each other are named, both."""
    text = SMALL + 'needs = "b"\n[environments.b]\nfolder = "b"\nhealth = "http://x/"\n'
    lines = refusal(tmp_path, text + 'needs = "staging"\n')
    assert ["staging needs b needs staging" in line for line in lines] == [True, False]
    assert "b needs staging needs b" in lines[1]


def test_a_freeze_names_what_there_is(tmp_path):
    """A freeze of an environment that there is not freezes nothing, so it is refused."""
    text = SMALL + (
        '[[freeze]]\nenvironments = ["prod"]\nfirst = 2026-12-24\nlast = 2026-12-26\nbecause = "x"'
    )
    assert refusal(tmp_path, text) == [
        "deploy.toml: freeze #1.environments names 'prod', which is none of: staging."
    ]
    assert "swap them" in refusal(tmp_path, text.replace("12-26", "12-23"))[0]
    assert "freeze #1.because is missing" in refusal(tmp_path, text.replace("because", "why"))[0]


def test_every_missing_key_has_an_example():
    """Whatever has to be there comes with a line to copy."""
    models = [Commands, Dated, Here, People, Settings, Task, There, Weekly, WorkingHours]
    needed = {
        field.alias or name
        for model in models
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    assert needed <= EXAMPLES.keys()


def test_a_configuration_cannot_be_changed(tmp_path):
    """What was read stays what it is."""
    config = read(written(tmp_path, SMALL))
    with pytest.raises(ValueError, match="frozen"):
        config.environments["staging"].protected = True
    with pytest.raises(AttributeError):
        config.keep = 1


# Freezes


def weekly(days, begins, until, zone=BERLIN, because="weekly"):
    """A window of each week for production."""
    return EachWeek(
        environments=frozenset({"production"}),
        days=frozenset(days),
        begins=begins,
        until=until,
        timezone=zone,
        because=because,
    )


def dated(first, last, zone=BERLIN):
    """A window of whole days for production."""
    return Dates(
        environments=frozenset({"production"}),
        first=first,
        last=last,
        timezone=zone,
        because="dated",
    )


def test_a_freeze_says_when_it_opens_and_why():
    """On Friday evening the sentence names Saturday, in the freeze's own zone."""
    friday = weekly([4], time(16), time(0))
    now = datetime(2026, 11, 27, 16, 0, tzinfo=UTC)
    found = frozen([friday], "production", now)
    assert found == Frozen(because="weekly", opens_at=datetime(2026, 11, 28, tzinfo=BERLIN))
    assert found.sentence == "frozen until Saturday 2026-11-28 00:00 Europe/Berlin: weekly"
    assert frozen([friday], "staging", now) is None


def test_a_window_is_half_open():
    """The first instant is frozen, the last one is not."""
    friday = weekly([4], time(16), time(18))
    begins = datetime(2026, 11, 27, 16, tzinfo=BERLIN)
    just = timedelta(microseconds=1)
    assert frozen([friday], "production", begins - just) is None
    assert frozen([friday], "production", begins) is not None
    assert frozen([friday], "production", begins + timedelta(hours=2) - just) is not None
    assert frozen([friday], "production", begins + timedelta(hours=2)) is None


def test_windows_that_adjoin_are_one_freeze():
    """It opens when the last of them is over, in whatever order they are written."""
    windows = [
        dated(date(2026, 11, 28), date(2026, 11, 29)),
        weekly([0], time(0), time(9)),
        weekly([4], time(16), time(0), because="first"),
    ]
    found = frozen(windows, "production", datetime(2026, 11, 27, 20, tzinfo=BERLIN))
    assert found == Frozen(because="first", opens_at=datetime(2026, 11, 30, 9, tzinfo=BERLIN))


def test_a_freeze_without_an_end_says_so():
    """Every day around the clock never opens, and the search for an end has one."""
    always = weekly(range(7), time(0), time(0))
    found = frozen([always], "production", datetime(2026, 1, 1, tzinfo=UTC))
    assert found.opens_at is None
    assert found.sentence == "frozen until further notice: weekly"


@cache
def clock(zone, day):
    """Return pairs of an instant and what clocks show then, for each minute of some days."""
    start = datetime.combine(day, time(), tzinfo=UTC) - timedelta(days=4)
    instants = [start + timedelta(minutes=n) for n in range(20 * 1440)]
    return [(instant, instant.astimezone(zone).replace(tzinfo=None)) for instant in instants]


def first_shown(minutes, local):
    """Return the first instant at which clocks show a time or a later one."""
    return next((instant for instant, shown in minutes if shown >= local), None)


def spans(window, zone, day):
    """Return from when until when a window freezes, found by reading every minute of a clock."""
    minutes = clock(zone, day)
    if isinstance(window, Dates):
        days = [(window.first, time(), window.last + timedelta(days=1), time())]
    else:
        near = (day + timedelta(days=n) for n in range(-3, 14))
        days = [
            (d, window.begins, d + timedelta(days=window.until <= window.begins), window.until)
            for d in near
            if d.weekday() in window.days
        ]
    for first, begins, last, until in days:
        begin = first_shown(minutes, datetime.combine(first, begins))
        end = first_shown(minutes, datetime.combine(last, until))
        if begin is not None and end is not None:
            yield begin, end


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
TURNS = (
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 3, 8),
    date(2026, 4, 5),
    date(2026, 6, 1),
)
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
WEEKLY = st.tuples(st.sets(st.integers(0, 6), min_size=1, max_size=4), CLOCKS, CLOCKS)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(TURNS),
    minutes=st.integers(-1440, 2 * 1440),
    seconds=st.integers(0, 59),
    weeklies=st.lists(WEEKLY, min_size=1, max_size=3),
    dates=st.lists(st.tuples(st.integers(-2, 3), st.integers(0, 3)), max_size=2),
)
@example("Europe/Berlin", TURNS[0], 95, 0, [({5, 6}, time(2, 30), time(2, 59))], [])
@example("Europe/Berlin", TURNS[1], 30, 0, [({6}, time(2, 0), time(2, 30))], [])
def test_a_freeze_agrees_with_reading_the_clock_minute_by_minute(
    zone, day, minutes, seconds, weeklies, dates
):
    """Whether it is frozen, and when it opens, is what a person with a clock would have found."""
    zone = ZoneInfo(zone)
    now = datetime.combine(day, time(), tzinfo=UTC) + timedelta(minutes=minutes, seconds=seconds)
    windows = [weekly(*one, zone=zone) for one in weeklies]
    for start, length in dates:
        first = day + timedelta(days=start)
        windows.append(dated(first, first + timedelta(days=length), zone))
    found = frozen(windows, "production", now)
    covered = [span for window in windows for span in spans(window, zone, day)]

    def is_covered(instant):
        return any(begin <= instant < end for begin, end in covered)

    assert (found is not None) == is_covered(now)
    if found is not None:
        floor = now.replace(second=0)
        later = (floor + timedelta(minutes=n) for n in range(1, 9 * 1440))
        opens = next((instant for instant in later if not is_covered(instant)), None)
        if opens is not None:
            assert found.opens_at == opens


def test_a_day_that_a_zone_has_skipped_freezes_nothing():
    """Samoa went from Thursday to Saturday once; a freeze of that Friday has no instant."""
    samoa = ZoneInfo("Pacific/Apia")
    friday, saturday = date(2011, 12, 30), datetime.combine(date(2011, 12, 31), time())
    at = first_instant(saturday, samoa)
    assert first_instant(datetime.combine(friday, time(12)), samoa) == at
    window = dated(friday, friday, samoa)
    assert frozen([window], "production", at) is None
    assert frozen([window], "production", at - timedelta(seconds=1)) is None


# Liftings

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)


@pytest.fixture
def freezes(tmp_path):
    """The freezes of a project whose production is frozen over Christmas."""
    window = dated(date(2026, 12, 21), date(2027, 1, 3))
    return Freezes([window], tmp_path / ".deploy" / "lifted")


def lifting(minutes=30, *, environment="production", because="the shop is down", at=NOW):
    """Somebody needs half an hour."""
    until = at + timedelta(minutes=minutes)
    return Lifting(environment=environment, at=at, until=until, because=because, by="ana")


def test_a_lifting_ends_by_itself(freezes):
    """It holds from now until its end, on disk, and not one instant longer."""
    assert freezes.now("production", NOW)
    said = freezes.lift(lifting())
    assert said == "production may move until Thursday 2026-12-24 13:30 Europe/Berlin."
    assert freezes.now("production", NOW) is None
    assert freezes.now("production", NOW + timedelta(minutes=30, microseconds=-1)) is None
    assert freezes.now("production", NOW + timedelta(minutes=30))


def test_a_clock_that_was_set_back_lifts_nothing(freezes):
    """Before it was lifted, it was frozen."""
    freezes.lift(lifting())
    assert freezes.now("production", NOW - timedelta(seconds=1))


def test_a_lifting_holds_for_its_environment_only(freezes, tmp_path):
    """Not even a copied file lifts the freeze of another environment."""
    freezes.lift(lifting(environment="staging"))
    folder = tmp_path / ".deploy" / "lifted"
    (folder / "production.json").write_bytes((folder / "staging.json").read_bytes())
    assert freezes.now("production", NOW)


@pytest.mark.parametrize("minutes", [0, -5, 241])
def test_a_lifting_is_short(freezes, minutes):
    """No lifting outlasts the bound, and none is written that would."""
    with pytest.raises(DeployError, match="1 to 240 minutes"):
        freezes.lift(lifting(minutes))
    assert freezes.now("production", NOW)


def test_a_lifting_that_was_made_longer_by_hand_still_ends(freezes, tmp_path):
    """Whoever edits the file gains nothing beyond the bound."""
    freezes.lift(lifting())
    path = tmp_path / ".deploy" / "lifted" / "production.json"
    path.write_text(
        path.read_text("utf-8").replace("2026-12-24T12:30", "2027-12-24T12:30"), "utf-8"
    )
    assert freezes.now("production", NOW + LONGEST - timedelta(seconds=1)) is None
    assert freezes.now("production", NOW + LONGEST)


def test_a_lifting_needs_a_reason(freezes):
    """An empty one is none."""
    with pytest.raises(DeployError, match="Say why"):
        freezes.lift(lifting(because="  "))
    assert freezes.now("production", NOW)


@settings(max_examples=100)
@given(cut=st.integers(0, 400), junk=st.binary(max_size=20))
def test_a_damaged_lifting_lifts_nothing(tmp_path_factory, cut, junk):
    """Whatever is cut off or put in its place, it freezes again rather than stay open."""
    folder = tmp_path_factory.mktemp("lifted")
    freezes = Freezes([dated(date(2026, 12, 21), date(2027, 1, 3))], folder)
    freezes.lift(lifting())
    path = folder / "production.json"
    whole = path.read_bytes()
    damaged = whole[: min(cut, len(whole) - 2)] + junk
    path.write_bytes(damaged)
    read_again = None
    with suppress(ValueError):
        read_again = json.loads(damaged)
    is_whole = read_again == json.loads(whole)
    assert (freezes.now("production", NOW) is None) == is_whole
