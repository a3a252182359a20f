"""Where agent classes are found, and what stops the start."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from neonhub.agents.registry import BUILT_IN, discover, load_built_in
from neonhub.errors import ConfigError

Write = Callable[[str], str]

HEAD = "from neonhub.agents import BaseAgent\n"


def agent(kind: str, name: str = "One") -> str:
    """The source of an agent class."""
    return (
        f"class {name}(BaseAgent):\n"
        f"    kind = {kind!r}\n"
        "    def execute_impl(self, config):\n"
        "        return {}\n"
    )


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write_module(source: str) -> str:
        names.append(f"agents_{uuid4().hex}")
        (tmp_path / f"{names[-1]}.py").write_text(source)
        return names[-1]

    yield write_module
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def enter(tmp_path: Path, write: Write) -> Callable[[str], None]:
    """Installs a distribution whose one entry point has the value given."""

    def install(value: str) -> None:
        folder = tmp_path / "probe-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[neonhub.agents]\nmine = {value}\n")

    return install


def test_a_module_lends_its_agent_classes(write: Write) -> None:
    name = write(HEAD + agent("one") + agent("two", "Two"))
    assert {kind: found.__name__ for kind, found in discover([name]).items()} == {
        "one": "One",
        "two": "Two",
    }


def test_abstract_private_and_foreign_classes_are_left_out(write: Write) -> None:
    source = "class Base(BaseAgent):\n    pass\n" + agent("hidden", "_Hidden") + agent("one")
    assert list(discover([write(HEAD + source)])) == ["one"]


def test_a_class_reached_twice_is_one_class(write: Write) -> None:
    first = write(HEAD + agent("one"))
    again = write(f"from {first} import One\nOther = One\n")
    assert list(discover([first, again, first])) == ["one"]


def test_an_imported_kind_of_neonhubs_own_is_no_duplicate(write: Write) -> None:
    source = "from neonhub.agents.http import HttpAgent\nclass Mine(HttpAgent):\n    kind = 'm'\n"
    assert list(discover([write(source)])) == ["m"]


def test_an_entry_point_lends_its_class(write: Write, enter: Callable[[str], None]) -> None:
    enter(f"{write(HEAD + agent('entered'))}:One")
    assert "entered" in discover([])


@pytest.mark.parametrize("value", ["json:dumps", "json"])
def test_an_entry_point_that_is_no_agent_class_stops_the_start(
    enter: Callable[[str], None], value: str
) -> None:
    enter(value)
    with pytest.raises(ConfigError, match=f"'mine' of group .* '{value}', which is not an agent"):
        discover([])


def test_an_entry_point_that_fails_to_import_stops_the_start(
    enter: Callable[[str], None],
) -> None:
    enter("no_such_module:One")
    with pytest.raises(ConfigError, match=r"'mine' .* failed to import: ModuleNotFoundError"):
        discover([])


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(.*agents_.*py, line 1\)"),
        ("def :", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_a_module_that_fails_to_import_stops_the_start_with_its_error(
    write: Write, source: str, cause: str
) -> None:
    name = write(source)
    with pytest.raises(ConfigError, match=cause) as raised:
        discover([name])
    assert raised.value.message.startswith(f"NEONHUB_AGENT_MODULES names '{name}', which failed")
    assert "\n" not in raised.value.message


def test_a_module_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"'no_such\.module', which failed to import"):
        discover(["no_such.module"])


def test_a_module_without_agents_stops_the_start(write: Write) -> None:
    with pytest.raises(ConfigError, match="holds no agent class"):
        discover([write(HEAD)])


def test_two_classes_of_one_kind_are_both_named(write: Write) -> None:
    first, second = write(HEAD + agent("same")), write(HEAD + agent("same", "Two"))
    with pytest.raises(ConfigError, match=rf"kind 'same': {first}\.One and {second}\.Two"):
        discover([first, second])


def test_a_kind_of_neonhubs_own_cannot_be_taken(write: Write) -> None:
    name = write(HEAD + agent("http"))
    with pytest.raises(ConfigError, match=rf"neonhub\.agents\.http\.agent\.HttpAgent and {name}"):
        discover([name])


def test_a_subclass_that_keeps_its_bases_kind_is_a_duplicate(write: Write) -> None:
    name = write("from neonhub.agents.http import HttpAgent\nclass Mine(HttpAgent):\n    pass\n")
    with pytest.raises(ConfigError, match=r"HttpAgent and .*Mine"):
        discover([name])


def test_a_class_without_a_kind_is_named(write: Write) -> None:
    name = write(HEAD + agent(""))
    with pytest.raises(ConfigError, match=rf"{name}\.One has no `kind`"):
        discover([name])


@pytest.mark.parametrize("kind", ["Has Spaces", "UPPER", "-dash", "ü", "x" * 64, "a\n"])
def test_a_bad_kind_is_named(write: Write, kind: str) -> None:
    name = write(HEAD + agent(kind))
    with pytest.raises(ConfigError, match=rf"{name}\.One has the kind .*must be at most 63"):
        discover([name])


def test_a_kind_that_is_not_text_is_named(write: Write) -> None:
    name = write(HEAD + agent("x").replace("'x'", "7"))
    with pytest.raises(ConfigError, match="has the kind 7"):
        discover([name])


@pytest.mark.parametrize("kind", BUILT_IN)
def test_each_kind_of_neonhubs_own_loads(kind: str) -> None:
    assert load_built_in(kind).kind == kind
