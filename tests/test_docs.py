"""The documentation against the code: commands, options, files, targets, links, and the docstrings of public names.

Nothing is run. Of every line in a ``bash`` or ``sh`` block of README.md, CONTRIBUTING.md and docs/: a command of
`automl-cells` exists and has the options that are given to it and as many arguments as it takes, a script of this
repository is there and knows its options, a target of `make` is in the Makefile.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

import automl_cells as ac
from automl_cells.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = ("bash", "sh")
OWN_FOLDERS = ("automl_cells/", "docs/", "examples/", "tests/", "tools/", "zoo/", "backends/")


class Line(NamedTuple):
    """A command of a page."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"[:90]


def commands(text: str) -> Iterator[str]:
    """The commands of all shell blocks, with lines that go on joined, and without output, comments and prompts."""
    for language, block in FENCE.findall(text):
        if language in SHELLS:
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield line.removeprefix("$ ").strip()


def words(command: str) -> list[str]:
    """The words of a command, without variables that are set before it and options in square brackets made plain."""
    found = shlex.split(command.replace("[", " ").replace("]", " "), comments=True)
    while found and re.fullmatch(r"[A-Z_]+=.*", found[0]):
        found = found[1:]
    return found


LINES = [Line(page.name, command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]
OURS = [line for line in LINES if words(line.text)[:1] == ["automl-cells"]]
MADE = [line for line in LINES if words(line.text)[:1] == ["make"]]
SCRIPTS = [line for line in LINES if words(line.text)[0].startswith("python") and words(line.text)[1].endswith(".py")]
INLINE = [
    Line(page.name, code)
    for page in PAGES
    for code in re.findall(r"`((?:automl-cells|make) [^`\n]+)`", FENCE.sub("", page.read_text(encoding="utf-8")))
]


@cache
def group() -> Any:
    """All commands as typer makes them: a click group, typer's own copy of it or click's, by its release."""
    return typer.main.get_command(app)


def found_command(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and what is left of them."""
    command = group()
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        assert arguments[0] in command.commands, f"no command {arguments[0]}"
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command, arguments


def check_command(arguments: list[str], whole: bool) -> None:
    """Hold options, and of a whole command the arguments too, against what the command line declares."""
    command, rest = found_command(arguments)
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    given: list[str] = []
    while rest:
        word, *rest = rest
        if word.startswith("-"):
            name, _, value = word.partition("=")
            assert name == "--help" or name in options, f"no option {name}"
            if name != "--help" and not value and not getattr(options[name], "is_flag", False):
                assert rest or not whole, f"{name} without its value"
                rest = rest[1:]
        else:
            given.append(word)
    if whole and not hasattr(command, "commands"):
        wanted = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        assert len(given) <= len(wanted), f"too many arguments: {given}"
        assert len(given) >= sum(parameter.required for parameter in wanted), "an argument is missing"
        missing = [
            option.opts[0]
            for option in command.params
            if option.required and option.param_type_name == "option" and not set(option.opts) & set(arguments)
        ]
        assert not missing, f"without {missing}"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_there_are_commands_to_check() -> None:
    assert len(OURS) > 30
    assert len(MADE) > 3
    assert len(SCRIPTS) > 5


@pytest.mark.parametrize("line", OURS, ids=str)
def test_commands_and_their_options_exist(line: Line) -> None:
    arguments = words(line.text)[1:]
    for operator in ("|", "&&", ";", ">", "&"):
        arguments = arguments[: arguments.index(operator)] if operator in arguments else arguments
    check_command(arguments, whole=True)


@pytest.mark.parametrize("line", [*OURS, *SCRIPTS], ids=str)
def test_what_a_shell_would_expand_is_quoted(line: Line) -> None:
    """Zsh refuses a ``?`` that matches no file, and every shell goes on in the background at an ``&``."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|#.*|&&", "", line.text)
    assert not re.search(r"[?*]|\S&|&\S", bare)


@pytest.mark.parametrize("line", MADE, ids=str)
def test_make_targets_exist(line: Line) -> None:
    assert {word for word in words(line.text)[1:] if "=" not in word} <= targets()


@pytest.mark.parametrize("line", INLINE, ids=str)
def test_what_the_text_calls_a_command_is_one(line: Line) -> None:
    program, *arguments = re.sub(r"[…\[\]]", " ", line.text).split()
    if "COMMAND" in arguments:
        assert arguments[1:] == ["--help"]
    elif program == "make":
        assert arguments[0] in targets()
    else:
        check_command(arguments, whole=False)


@pytest.mark.parametrize("line", SCRIPTS, ids=str)
def test_scripts_are_there_and_know_their_options(line: Line) -> None:
    _, script, *arguments = words(line.text)
    if not script.startswith(OWN_FOLDERS):
        return
    text = (ROOT / script).read_text(encoding="utf-8")
    if script == "tools/benchmark.py":  # its benchmarks have modules of their own
        text += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tools").glob("benchmark_*.py"))
        assert f'"{arguments[0]}"' in text
    for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
        assert f'"{option}"' in text, option


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = re.findall(r"`((?:[a-z_]+/)+[\w.]+\.(?:py|md|json|sh|yaml|svg|png|txt))`", prose)
    rooms = (ROOT, ROOT / "automl_cells", ROOT / "docs")
    ours = [name for name in named if any((room / name.split("/")[0]).is_dir() for room in rooms)]  # not a user's files
    assert [name for name in ours if not any((room / name).exists() for room in rooms)] == []


SKETCHES = ("architecture.md",)  # signatures without bodies


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in SKETCHES], ids=lambda page: page.name)
def test_python_blocks_are_python(page: Path) -> None:
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            compile(block, page.name, "exec")


def test_the_operation_on_the_page_is_that_of_the_example() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (block,) = [text for language, text in FENCE.findall(page) if "@register_operation" in text]
    example = (ROOT / "examples" / "extending" / "operation.py").read_text(encoding="utf-8")
    assert [line for line in block.splitlines() if line not in example.splitlines()] == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_and_anchors_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`\n]*`", "", text)
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("serch --dataset digits", "no command serch"),
        ("search --dataset digits --workrs 2 --out x", "no option --workrs"),
        ("search --dataset digits", "without"),
        ("show a b", "too many arguments"),
        ("show", "an argument is missing"),
        ("zoo frobnicate", "no command frobnicate"),
        ("train x --dataset digits --out", "--out without its value"),
    ],
)
def test_a_wrong_command_would_be_found(command: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_command(shlex.split(command), whole=True)


@pytest.mark.parametrize("name", sorted({*ac.__all__} - {"__version__"}))
def test_public_names_say_what_they_take(name: str) -> None:
    public = getattr(ac, name)
    if inspect.ismodule(public):  # `search`, once its package was imported
        public = public.search
    text = inspect.getdoc(public) or ""
    assert text.split("\n")[0].strip()
    if inspect.isfunction(public):
        missing = [
            parameter
            for parameter in inspect.signature(public).parameters
            if not re.search(rf"^\s+\**{parameter}:", text, re.MULTILINE)
        ]
        assert missing == []
