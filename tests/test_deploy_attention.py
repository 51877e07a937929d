"""What deserves a careful look is named, and no secret is ever shown."""

import base64
import json
import re
import string
import subprocess
import sys
import threading
import time
from dataclasses import replace
from random import Random

import pytest

from apps.deploy.attention import attention, secret_search
from apps.deploy.attention.diff_lines import places
from apps.deploy.attention.secret_kinds import secret_kinds
from apps.deploy.attention.secret_search import masked_text, search
from apps.deploy.errors import DeployError
from apps.deploy.model import Diff, FileChange, Range

LETTERS = string.ascii_letters + string.digits
CHANCE = Random(7)


def drawn(size, letters=LETTERS):
    """So many characters by chance; no secret of anybody."""
    return "".join(CHANCE.choice(letters) for _ in range(size))


def encoded(value):
    """A value as JSON Web Tokens carry it."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HEX = "0123456789abcdef"
LOWER = string.ascii_lowercase + string.digits
# By kind: what stands before the secret, the secret, what stands behind it.
EXAMPLES = {
    "AWS Access Key": [
        ("id = ", "AKI" + "A" + drawn(16, string.ascii_uppercase), ""),
        ('aws_token = "', drawn(40), '"'),
    ],
    "Artifactory Credentials": [
        ("", "AK" + "C" + drawn(20), ""),
        ("x=", "AP" + "B" + drawn(20), ""),
    ],
    "Azure Storage Account access key": [("", "Account" + "Key=" + drawn(88), "")],
    "Base64 High Entropy String": [("seed = '", "a1B2" + drawn(44), "'")],
    "Basic Auth Credentials": [("postgres://ana:", "pw" + drawn(6), "@db/shop")],
    "Cloudant Credentials": [("cloudant_password = ", drawn(64, HEX), "")],
    "Discord Bot Token": [("", "M" + drawn(23) + "." + drawn(6) + "." + drawn(27), "")],
    "GitHub Token": [("x ", "gh" + "p_" + drawn(36), " y")],
    "GitLab Token": [("", "glpa" + "t-" + drawn(20), ""), ("", "GR13" + "48941" + drawn(20), "")],
    "IBM COS HMAC Credentials": [("cos_secret_access_key = ", drawn(48, HEX), "")],
    "IBM Cloud IAM Key": [("ibm_api_key: ", drawn(44), "")],
    "JSON Web Token": [
        ("", ".".join([encoded({"alg": "HS256"}), encoded({"sub": "ana"}), drawn(43)]), "")
    ],
    "Mailchimp Access Key": [("", drawn(32, LOWER) + "-us" + "12", "")],
    "NPM tokens": [("//registry.example/:_auth" + "Token=", "npm" + "_" + drawn(36), "")],
    "OpenAI Token": [("", "sk-" + drawn(20) + "T3Blbk" + "FJ" + drawn(20), "")],
    "Private Key": [("-----", "BEGIN RSA " + "PRIVATE KEY-----\\n" + drawn(64), "")],
    "PyPI Token": [("", "pypi-" + "AgEIcHlwaS5vcmc" + drawn(80), "")],
    "Secret Keyword": [('DB_PASSWORD = "', "horse battery " + drawn(4), '"')],
    "SendGrid API Key": [("", "SG" + "." + drawn(22) + "." + drawn(43), "")],
    "Slack Token": [
        ("", "xox" + "b-123456789012-" + drawn(24, LOWER), ""),
        ("", "https://hooks.slack" + ".com/services/T" + drawn(8) + "/B" + drawn(8) + "/x", ""),
    ],
    "SoftLayer Credentials": [("softlayer_api_key = ", drawn(64, LOWER), "")],
    "Square OAuth Secret": [("", "sq0" + "csp-" + drawn(43), "")],
    "Stripe Access Key": [("", "sk_" + "live_" + drawn(99), "")],
    "Telegram Bot Token": [("", "123456789:" + drawn(35), "")],
    "Twilio API Key": [("", "S" + "K" + drawn(32, HEX), "")],
}
EACH = [(kind, *example) for kind, examples in EXAMPLES.items() for example in examples]


def diff_of(*lines, path="app/pay.py", removed=(), context=()):
    """A unified diff of one file, as git prints it."""
    old, new = len(removed) + len(context), len(lines) + len(context)
    return "\n".join(
        [
            f"diff --git a/{path} b/{path}",
            f"--- a/{path}",
            f"+++ b/{path}",
            f"@@ -1,{old} +1,{new} @@",
            *(f" {line}" for line in context),
            *(f"-{line}" for line in removed),
            *(f"+{line}" for line in lines),
            "",
        ]
    )


def look(text="", *, files=(), rules=None, size=None):
    """What `attention` says about a diff and changed paths."""
    changed = tuple(
        file if isinstance(file, FileChange) else FileChange(path=file, kind="modified", added=1)
        for file in files
    )
    moved = Range(live="", target="a" * 40, files=changed)
    whole = Diff(text=text, size=size or len(text), is_whole=size is None)
    return attention(moved, whole, rules)


def secrets_in(seen):
    """Where secrets were seen, and what they look like."""
    found = [one for one in seen.files if one.kind == "secret"]
    assert all(one.why.startswith(f"line {one.line}: ") for one in found)
    return [(one.path, one.line, one.why.partition(": ")[2]) for one in found]


def test_every_kind_has_an_example():
    """A kind that is looked for is one that these tests have seen to be found."""
    assert {kind.name for kind in secret_kinds()} == set(EXAMPLES)


@pytest.mark.parametrize(("kind", "before", "secret", "behind"), EACH, ids=[one[0] for one in EACH])
def test_a_secret_that_comes_is_named_and_never_told(kind, before, secret, behind):
    """File, line and kind of each secret are said; the secret itself is nowhere."""
    seen = look(diff_of("import os", before + secret + behind))
    assert [(path, line) for path, line, _ in secrets_in(seen)] == [("app/pay.py", 2)]
    assert kind in secrets_in(seen)[0][2]
    told = f"{seen} {seen.sentences}"
    assert not [part for part in re.findall(r"\w{6,}", secret) if part in told]


@pytest.mark.parametrize(("kind", "before", "secret", "behind"), EACH, ids=[one[0] for one in EACH])
def test_no_line_of_a_diff_shows_a_secret(kind, before, secret, behind):
    """On lines that come, go or stay: what stands there instead says what it looked like."""
    line = before + secret + behind
    shown = masked_text(diff_of(line, removed=[line], context=[line]))
    _, hunk = shown.split("@@ -1,2 +1,2 @@\n")
    assert [shown_line[:1] for shown_line in hunk.splitlines()] == [" ", "-", "+"]
    assert hunk.count("(looks like a secret: ") == 3
    random_part = secret[-6:]
    assert random_part not in shown
    assert secret[:16] not in shown


def test_a_masked_diff_is_still_the_same_diff():
    """It has the size and the wholeness of what it was made from, and no secret."""
    secret = "gh" + "p_" + drawn(36)
    diff = Diff(text=diff_of(secret), size=9_999, is_whole=False)
    shown = secret_search.masked(diff)
    assert (shown.size, shown.is_whole) == (9_999, False)
    assert secret not in shown.text and shown.text == masked_text(diff.text)


def test_only_what_comes_is_reported():
    """A secret that was there before, or goes away, is masked and not held against the range."""
    _, before, secret, behind = EACH[0]
    line = before + secret + behind
    assert secrets_in(look(diff_of("x = 1", removed=[line], context=[line]))) == []


def test_every_secret_of_a_line_is_masked_text():
    """Patterns that a library stops at the first find of are followed to the end of the line."""
    first, second = "gh" + "p_" + drawn(36), "gh" + "o_" + drawn(36)
    names = f'password="{drawn(9)}", client_secret="{drawn(9)}"'
    shown = masked_text(diff_of(f"{first} {second} {first}", names))
    assert shown.count("(looks like a secret: GitHub Token)") == 3
    assert shown.count("(looks like a secret: Secret Keyword)") == 2


def test_a_private_key_is_masked_from_any_line_on():
    """Also a hunk that begins in the middle of a key shows none of it, and what follows it."""
    body = [drawn(64) for _ in range(5)] + [drawn(30) + "=="]
    for lines in (body, ["-----BEGIN OPENSSH " + "PRIVATE KEY-----", *body]):
        shown = masked_text(diff_of(*lines, "-----END KEY-----", "port = 80", context=["a = 1"]))
        assert not [part for part in body if part[:12] in shown]
        assert "+port = 80" in shown and " a = 1" in shown


@pytest.mark.parametrize(
    "line",
    [
        'password = os.environ["DB_PASSWORD"]',
        'password = "${DB_PASSWORD}"',
        'password = "<your password>"',
        "url = 'https://ana:{password}@db'",
        'image = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"',
        "ip = '203.0.113.7'",
        "def password(self): return self._password",
    ],
)
def test_what_is_no_secret_is_shown(line):
    """Places for a secret, commits that are pinned, and addresses stay readable."""
    text = diff_of(line)
    assert masked_text(text) == text
    assert secrets_in(look(text)) == []


def test_values_without_quotes_count_where_files_have_none():
    """In settings a value may stand bare; in code what stands bare is another name."""
    line = "PASSWORD=" + "hunter" + "2hunter"
    for path in (".env", "deploy/.env.prod", "prod.env", "run.sh", "app.ini", "Dockerfile"):
        assert secrets_in(look(diff_of(line, path=path))) == [(path, 1, "Secret Keyword")]
    assert secrets_in(look(diff_of(line, path="app.py"))) == []


def test_a_comment_cannot_call_a_secret_harmless():
    """Whoever wrote the commit does not decide what is looked at."""
    line = f'password = "{drawn(12)}"  # pragma: allow' + "list secret"
    assert len(secrets_in(look(diff_of(line)))) == 1


def test_digests_of_packages_are_no_secrets():
    """A lock file is full of what looks drawn by chance."""
    line = f'"integrity": "sha512-{drawn(86)}=="'
    assert secrets_in(look(diff_of(line, path="web/package-lock.json"))) == []
    assert secrets_in(look(diff_of(line, path="web/other.json"))) != []


def library_finds(lines):
    """Each line and kind of which a plugin of detect-secrets, asked about it, finds something."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    names = {kind.name for kind in secret_kinds() if not kind.is_vague}
    plugins = [
        plugin()
        for name, plugin in get_mapping_from_secret_type_to_class().items()
        if name in names
    ]
    return {
        (index, plugin.secret_type)
        for index, line in enumerate(lines)
        for plugin in plugins
        for secret in plugin.analyze_string(line)
        if not secret.startswith("$")
    }


def bent(line, chance):
    """The line with a few characters changed, as nobody would think of them."""
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(line) + 1)
        odd = chance.choice(
            [
                "",
                " ",
                "\t",
                "   ",
                "\u017f",
                "\u212a",
                "\u0131",
                "\u0130",
                "é",
                '"',
                "=",
                "\r",
                "\0",
            ]
        )
        line = line[:at] + odd + line[at + chance.randrange(2) :]
    return chance.choice([line, line.upper(), line.lower(), line.swapcase(), line, line])


def test_the_quick_first_look_loses_nothing():
    """Whatever the library finds by asking every plugin about every line is found here too."""
    whole = [before + secret + behind for _, before, secret, behind in EACH]
    chance = Random(11)
    lines = [bent(chance.choice(whole), chance) for _ in range(4_000)]
    text = "\n".join(lines)
    found = search(text, list(places(lines)))
    assert found.failed == found.unsearched == ()
    here = {(suspect.index, suspect.kind) for suspect in found.suspects}
    theirs = library_finds(lines)
    assert len(theirs) > 1_000
    assert theirs - here == set()


def test_letters_that_patterns_take_as_one_are_one():
    """Lower case, as the first look makes it, moves no character and misses no odd letter."""
    letters = "".join(map(chr, range(sys.maxunicode + 1)))
    lower = secret_search._lower(letters)
    assert len(lower) == len(letters)
    alike = [found.start() for found in re.finditer("[a-z]", letters, re.IGNORECASE)]
    assert len(alike) > 52
    assert {lower[at] for at in alike} == set(string.ascii_lowercase)


def test_a_plugin_that_fails_is_named_and_its_line_is_not_shown():
    """What could not be searched counts as unseen: it is said, and absent from the diff."""

    def broken(line, path):
        raise ValueError(line)

    kinds = tuple(replace(kind, find=broken) for kind in secret_kinds())
    text = diff_of("fine = 1", "gh" + "p_" + drawn(36))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret_search, "secret_kinds", lambda: kinds)
        seen, shown = look(text), masked_text(text)
    assert seen.problems == ("The search for secrets failed: app/pay.py line 2 (GitHub Token).",)
    assert seen.problems[0] in seen.sentences
    assert shown.endswith("+fine = 1\n+(the search for GitHub Token failed here)\n")


def test_a_plugin_of_a_later_release_is_asked_about_every_line():
    """Without a hint there is no first look, so nothing is passed over."""
    kinds = (replace(secret_kinds()[0], hints=(), swift=(), find=lambda line, path: [(0, 1)]),)
    found = search("one\ntwo", list(places(["one", "two"])), kinds)
    assert [suspect.index for suspect in found.suspects] == [0, 1]


def test_a_line_that_is_too_long_is_said_and_not_shown():
    """A hint in a line too long to search: its place is among the problems, its text nowhere."""
    secret = "gh" + "p_" + drawn(36)
    seen = look(text := diff_of("x" * 90_000 + secret, "y" * 9_000, secret, path="web/a.js"))
    assert seen.problems == (
        "Not searched for secrets, as it is too long or too much: web/a.js line 1.",
    )
    assert secrets_in(seen) == [("web/a.js", 3, "GitHub Token")]
    shown = masked_text(text)
    assert secret not in shown and "+(not searched for secrets: 90,041 characters)" in shown
    assert "y" * 9_000 in shown


def test_what_comes_after_the_work_that_may_be_done_is_said(monkeypatch):
    """The search is bounded by counting, the same at every look, and says where it ended."""
    monkeypatch.setattr(secret_search, "MOST", 20_000)
    secret = "pw" + drawn(10)
    seen = look(text := diff_of(*[f'password = "{secret}{number:02}"' for number in range(30)]))
    assert 0 < len(secrets_in(seen)) < 30
    (problem,) = seen.problems
    assert problem.endswith(f" and {30 - len(secrets_in(seen)) - 10} more.")
    assert secret not in masked_text(text)
    assert seen == look(text)


HOSTILE = {
    "gap": "key" + " " * 1_900 + "a" * 64,
    "names": "password" * 240 + "'",
    "quoted names": "secret'a" * 240,
    "tokens": "eyJ" * 660,
    "slashes": "//" * 900 + ":_authToken=",
    "indirect": "password = '" + "a b " * 400 + "'",
    "addresses": "://a:" * 390,
    "names and quote": ("password" * 6 + "'" + "a" * 9) * 34,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=list(HOSTILE))
def test_a_line_made_to_be_slow_is_not(line):
    """No text of a commit holds a preview up."""
    secret_kinds()
    began = time.process_time()
    look(diff_of(*[line] * 12, path="x.yaml"))
    assert time.process_time() - began < 2


@pytest.mark.slow
def test_the_diff_of_a_thousand_commits_is_searched_within_a_preview():
    """3,000 files and 60,000 added lines take a part of the second that a preview may take."""
    secret_kinds()
    code = [f"    value_{n} = compute(n={n}, {'key' if n == 7 else 'of'}=3)" for n in range(20)]
    text = "".join(diff_of(*code, path=f"src/part{n % 40}/module_{n}.py") for n in range(3_000))
    files = [f"src/part{n % 40}/module_{n}.py" for n in range(3_000)]
    began = time.process_time()
    seen = look(text, files=files)
    masked_text(text[:200_000])
    assert time.process_time() - began < 1
    assert seen.problems == ()


def test_looking_leaves_no_state_and_asks_nobody(monkeypatch):
    """The library's settings are as they were, no process was started, nothing went out."""
    from detect_secrets.settings import get_settings

    def refuse(*_, **__):
        raise AssertionError("something left this process")

    monkeypatch.setattr("requests.sessions.Session.request", refuse)
    monkeypatch.setattr("subprocess.Popen", refuse)
    monkeypatch.setattr("multiprocessing.Process.start", refuse)
    before = json.dumps(get_settings().json())
    text = diff_of(*(b + s + e for _, b, s, e in EACH))
    assert len(secrets_in(look(text))) == len(EACH)
    assert json.dumps(get_settings().json()) == before


def test_several_threads_see_the_same():
    """Previews are made side by side; none disturbs another."""
    text = diff_of(*(b + s + e for _, b, s, e in EACH))
    alone, seen = look(text), []
    threads = [threading.Thread(target=lambda: seen.append(look(text))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [alone] * 8


def test_a_missing_library_is_one_sentence():
    """Without detect-secrets nothing is shown unsearched; the sentence says what to install."""
    secret_kinds.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
        with pytest.raises(DeployError, match=r"pip install 'gated-agents\[deploy\]'"):
            look(diff_of("x = 1"))
    assert look(diff_of("x = 1")).problems == ()


def test_a_file_without_text_is_said_to_be_unsearched():
    """What git shows no lines of is not passed over in silence."""
    files = [
        FileChange(path="logo.png", kind="added"),
        FileChange(path="gone.png", kind="deleted"),
        FileChange(path="app.py", kind="modified", added=3, removed=0),
    ]
    assert look(files=files).problems == (
        "Not searched for secrets, as git sees no text in it: logo.png.",
    )


def test_a_diff_that_was_cut_is_said_to_be():
    """Secrets beyond the cut are not denied."""
    text = diff_of("x = 1")
    assert look(text, size=5_000_000).problems == (
        f"Only {len(text):,} of the diff's 5,000,000 bytes were searched for secrets.",
    )


@pytest.mark.parametrize(
    ("kind", "paths"),
    {
        "migration": "migrations/0002_reviews.sql shop/migrations/0001_first.py db/migrate/1.rb "
        "alembic/versions/ab12_x.py src/main/resources/db/migration/V2__orders.sql Migrate.py "
        "app/Migrations/0003.SQL prisma/migrations/1/migration.sql db/schema.rb",
        "deploy": "deploy.toml ops/Deploy.toml",
        "dependencies": "requirements.txt requirements-dev.txt requirements/a.txt pyproject.toml "
        "uv.lock poetry.lock setup.py web/package.json web/package-lock.json pnpm-lock.yaml "
        "yarn.lock Cargo.toml Cargo.lock go.mod go.sum Gemfile Gemfile.lock pom.xml build.gradle "
        "build.gradle.kts Dockerfile Dockerfile.prod .gitmodules composer.json",
        "configuration": ".env prod.env .env.prod app.ini tox.cfg settings.py shop/settings.py "
        "config/app.json nginx/site nginx.conf main.tf .github/workflows/ci.yml .gitlab-ci.yml "
        "values.yaml ruff.toml .gitattributes Makefile",
        "": "app.py README.md src/immigrations.py docs/requirements.md package.py envoy.py "
        "templates/index.html tests/test_config.py lock.py settings_of_mine.py",
    }.items(),
)
def test_files_are_known_by_their_names(kind, paths):
    """Each kind of file that can break more than code is noticed, in any folder and any case."""
    files = paths.split()
    noticed = [(one.path, one.kind) for one in look(files=files).files]
    assert noticed == ([(path, kind) for path in files] if kind else [])


def test_the_operator_adds_globs_and_kinds():
    """What deploy.toml names counts too; a kind of its own has its own sentence."""
    rules = {"migrations": ["db/changes/*"], "billing": ["**/invoices.py", "tax_*.py"]}
    files = ["db/changes/7.txt", "x/y/invoices.py", "lib/TAX_de.py", "x/invoices.pyc"]
    seen = look(files=files, rules=rules)
    assert [(one.path, one.kind) for one in seen.files] == [
        ("db/changes/7.txt", "migration"),
        ("x/y/invoices.py", "billing"),
        ("lib/TAX_de.py", "billing"),
    ]
    assert seen.is_critical
    assert seen.sentences == (
        "Database migrations: db/changes/7.txt (changes).",
        "billing: x/y/invoices.py (changes), lib/TAX_de.py (changes).",
    )


@pytest.mark.parametrize(
    ("path", "is_critical"),
    [
        ("migrations/1.sql", True),
        ("requirements.txt", True),
        ("deploy.toml", True),
        ("settings.py", False),
        ("app.py", False),
    ],
)
def test_what_can_break_the_most_is_critical(path, is_critical):
    """Migrations, dependencies and the pipeline's own file ask for the strictest decision."""
    assert look(files=[path]).is_critical is is_critical


def test_a_migration_that_goes_away_is_noticed():
    """A downgrade is no smaller a thing than an upgrade."""
    gone = FileChange(path="migrations/2.sql", kind="deleted", removed=3)
    (one,) = look(files=[gone]).files
    assert (one.kind, one.why) == ("migration", "goes away")


def test_many_files_are_counted_and_none_is_lost():
    """A sentence names ten and says how many more; all of them are in the list."""
    seen = look(files=[f"migrations/{number}.sql" for number in range(1_234)])
    assert len(seen.files) == 1_234
    assert seen.sentences[0].endswith("migrations/9.sql (changes) and 1,224 more.")


@pytest.mark.parametrize(
    "path",
    [
        "migrations/$(id).sql",
        "migrations/a\nb.sql",
        "--all/migrations/x.sql",
        "migrations/\u202e.sql",
    ],
)
def test_a_hostile_name_is_data(path):
    """Whatever a path says, it is noticed under its own name and means nothing."""
    assert [one.path for one in look(files=[path]).files] == [path]


def test_names_are_read_as_git_writes_them():
    """A quoted name is the path that the list of files has; odd bytes are written out."""
    text = diff_of("gh" + "p_" + drawn(36), path="x")
    text = text.replace("+++ b/x", r'+++ "b/caf\303\251\t\377.env"')
    assert [path for path, *_ in secrets_in(look(text))] == ["café\t\\xff.env"]


def test_a_file_named_like_no_file_has_its_name():
    """Only the whole of `/dev/null` stands for a file that is not there."""
    text = diff_of("gh" + "p_" + drawn(36), path="x/dev/null")
    text = text.replace("--- a/x/dev/null", "--- /dev/null")
    assert [path for path, *_ in secrets_in(look(text))] == ["x/dev/null"]


def test_a_file_that_looks_like_a_diff_moves_nothing():
    """Lines inside a hunk are content, whatever they look like."""
    forged = ["++ b/harmless.txt", "@@ -1 +900 @@", "diff --git a/x b/x", "gh" + "p_" + drawn(36)]
    seen = look(diff_of(*forged, path="real.py"))
    assert secrets_in(seen) == [("real.py", 4, "GitHub Token")]


def test_an_odd_line_end_is_no_new_line():
    """Only a line feed ends a line, so numbers are those of the file as git counts them."""
    seen = look(diff_of("a\rb\x0bc\u2028d", "gh" + "p_" + drawn(36)))
    assert [line for _, line, _ in secrets_in(seen)] == [2]


def test_real_diffs_of_git_are_read(tmp_path):
    """Places agree with what git says about a file that changed in several spots."""

    def git(*words):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.test", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    git("init", "-q")
    lines = [f"line {number}" for number in range(1, 101)]
    (tmp_path / "a b.txt").write_text("\n".join(lines))
    (tmp_path / "gone.txt").write_text("bye\n")
    git("add", ".")
    git("commit", "-qm", "one")
    lines[70:72] = ["new", "gh" + "p_" + drawn(36), "newer"]
    del lines[4]
    lines[0] = "-- a/x"
    (tmp_path / "a b.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "empty.txt").write_text("")
    git("add", ".")
    text = git("diff", "--cached")
    want = 1 + next(n for n, line in enumerate(lines) if line.startswith("ghp"))
    assert secrets_in(look(text)) == [("a b.txt", want, "GitHub Token")]
    added = [place for place in places(text.split("\n")) if place.number]
    assert [(place.path, place.number) for place in added] == [
        ("a b.txt", number) for number in (1, 70, 71, 72, len(lines))
    ]
