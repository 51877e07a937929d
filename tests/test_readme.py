"""Every Python example in the prose runs, and prints what it says it prints."""

import re
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from core.copying import find

ROOT = Path(__file__).parent.parent
PROSE = [ROOT / "README.md", *sorted(ROOT.glob("core/**/*.md")), *sorted(ROOT.glob("apps/**/*.md"))]
EXAMPLES = list(find_examples(*PROSE))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(autouse=True)
def as_wide_as_our_code(eval_example):
    """Output is laid out as for lines of a hundred characters."""
    eval_example.set_config(line_length=100)


def short(path):
    """A path as a test's id shows it."""
    return path.relative_to(ROOT).as_posix()


def checked(text, tmp_path, eval_example):
    """Run the examples of a text of its own as those of the prose are run."""
    readme = tmp_path / "README.md"
    readme.write_text(text, "utf-8")
    for example in find_examples(readme):
        eval_example.run_print_check(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{short(e.path)}:{e.start_line}")
def test_an_example_runs_and_prints_what_it_says(
    example: CodeExample, eval_example: EvalExample, tmp_path, monkeypatch
):
    """Whoever types an example in sees what the prose promises; it leaves no file behind here."""
    monkeypatch.chdir(tmp_path)
    eval_example.run_print_check(example)


def test_every_python_block_is_run():
    """No example escapes by being spelt so that it is not found."""
    fences = {
        short(path): len(re.findall(r"^ *(?:```|~~~) *(?:py|\{)", text, re.I | re.M))
        for path in PROSE
        if (text := path.read_text("utf-8"))
    }
    found = {name: sum(short(e.path) == name for e in EXAMPLES) for name in fences}
    assert found == fences
    assert {"README.md", "core/README.md", "apps/README.md"} <= fences.keys()
    assert found["README.md"] and found["core/README.md"]


@pytest.mark.parametrize("path", PROSE, ids=short)
def test_a_link_leads_to_a_file(path):
    """A path in the prose exists in the tree, relative to the page it stands on."""
    links = [link for link in LINK.findall(path.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PROSE, ids=short)
def test_a_copy_command_in_the_prose_names_a_pattern(path):
    """Whoever pastes a copy command gets the pattern."""
    for name in re.findall(r"core copy ([\w/]+) --to", path.read_text("utf-8")):
        assert name == "NAME" or find(name)


def test_an_example_that_prints_something_else_is_found(tmp_path, eval_example):
    """The check itself fails when prose and program differ."""
    checked("```python\nprint(1)\n#> 1\n```\n", tmp_path, eval_example)
    with pytest.raises(pytest.fail.Exception):
        checked("```python\nprint(1)\n#> 2\n```\n", tmp_path, eval_example)


def test_an_example_that_does_not_run_is_found(tmp_path, eval_example):
    """The check itself fails when an example raises."""
    with pytest.raises(NameError):
        checked("```python\nprint(missing)\n```\n", tmp_path, eval_example)
