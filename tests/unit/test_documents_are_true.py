"""What the documents say of the code is so."""

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neonhub.agents import AgentManager, NonRetryableError
from neonhub.config import load_settings
from neonhub.domain.endings import AttemptEnd, Standing, after_attempt
from neonhub.domain.states import HoldReason, SessionStatus
from tests.chaos.cells import cells
from tests.chaos.choice import SAMPLE
from tests.documents import (
    DOCUMENTS,
    OPERATIONS,
    README,
    ROOT,
    anchors,
    blocks,
    code_words,
    links,
    read,
    table,
)

STATE_MACHINE = ROOT / "docs" / "state-machine.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
NOW = datetime(2026, 3, 8, 7, tzinfo=UTC)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


class Recorder(Mapping[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def settings_in_readme() -> dict[str, str]:
    return {row[0].strip("`"): row[1].strip("`") for row in table(README, "Settings")}


def settings_read() -> set[str]:
    recorder = Recorder()
    load_settings(recorder)
    return recorder.asked


def test_the_readme_lists_every_setting_and_no_other() -> None:
    assert settings_in_readme().keys() == settings_read()


def test_the_defaults_in_the_readme_are_those_of_the_code() -> None:
    said = {name: text for name, text in settings_in_readme().items() if text != "unset"}
    assert load_settings(said) == load_settings({})


def test_settings_the_readme_calls_unset_have_no_value() -> None:
    unset = [name for name, text in settings_in_readme().items() if text == "unset"]
    settings = load_settings({})
    values = {name: getattr(settings, name.lower(), None) for name in unset}
    values.pop("DATABASE_URL")  # SQLite in the data folder
    assert not any(values.values())


@each_document
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for link in links(document):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    folders = ("neonhub/", "workers/", "tests/", "docs/", "bench/")
    for word in code_words(document):
        if word.startswith(folders) and re.fullmatch(r"[\w./-]+", word):
            assert (ROOT / word).exists(), word


@each_document
def test_make_targets_that_are_named_exist(document: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE)
    commands = "\n".join(block.text for block in blocks(document, "console"))
    in_text = [word for word in code_words(document) if word.startswith("make ")]
    for name in re.findall(r"^(?:\$ )?(?:[A-Z_]+=\S+ )?make ([a-z-]+)", commands, re.MULTILINE):
        assert name in targets
    assert {word.split()[1] for word in in_text} <= set(targets)


def test_the_quickstart_starts_the_whole_system() -> None:
    assert blocks(README, "console")[0].text == "$ make run\n"
    assert "$(BIN)/python app.py" in read(ROOT / "Makefile").partition("\nrun:")[2]


def test_the_agent_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [snippet] = blocks(README, "python")
    (tmp_path / "agents_of_the_readme.py").write_text(snippet.text)
    monkeypatch.syspath_prepend(tmp_path)
    manager = AgentManager(["agents_of_the_readme"])
    assert manager.build("reporter").execute({"pages": [1, 2]}) == {"read": [1, 2]}
    with pytest.raises(NonRetryableError, match="no pages"):
        manager.build("reporter").execute({})


def edges() -> set[tuple[str, str]]:
    [diagram] = blocks(STATE_MACHINE, "mermaid")
    return set(re.findall(r"^ +(\S+) --> (\w+|\[\*\])", diagram.text, re.MULTILINE))


def test_the_diagram_of_states_ends_where_the_code_ends() -> None:
    drawn = {state for edge in edges() for state in edge} - {"[*]"}
    assert drawn == set(SessionStatus)
    assert {a for a, b in edges() if b == "[*]"} == {s for s in SessionStatus if s.is_ended}


def test_the_diagram_of_states_draws_every_end_of_an_attempt() -> None:
    fresh = Standing(0, 0, 1, False, None, backoff_base_ms=1000, backoff_max_ms=1000)
    standings = (fresh, replace(fresh, failures=1, losses=2), replace(fresh, stop_requested=True))
    reached = {after_attempt(end, s, NOW).status for end in AttemptEnd for s in standings}
    assert {b for a, b in edges() if a == SessionStatus.RUNNING} == reached


def test_every_end_of_an_attempt_and_every_hold_is_explained() -> None:
    ends = {re.findall(r"\w+", row[0])[0] for row in table(STATE_MACHINE, ENDS)}
    holds = {row[0].strip("`") for row in table(STATE_MACHINE, "What holds a queued session")}
    assert ends == set(AttemptEnd)
    assert holds - {"none"} == set(HoldReason)


ENDS = "What one attempt can end as"


def test_functions_that_move_a_session_exist() -> None:
    files = [
        path for name in ("execution", "scheduling") for path in ROOT.glob(f"neonhub/{name}/*")
    ]
    modules = {path.stem: f"neonhub.{path.parent.name}.{path.stem}" for path in files}
    named = [word.split(".") for word in code_words(STATE_MACHINE) if word.count(".") == 1]
    found = [(modules[module], name) for module, name in named if module in modules]
    assert found
    for module, name in found:
        assert hasattr(importlib.import_module(module), name), name


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    words = [row[0].strip("*") for row in table(GLOSSARY, "Glossary")]
    assert words == sorted(set(words))


def test_log_lines_that_operations_explains_are_written_somewhere() -> None:
    sources = (*ROOT.glob("neonhub/**/*.py"), *ROOT.glob("workers/*.py"))
    code = "\n".join(read(path) for path in sources)
    for row in table(OPERATIONS, "Logs"):
        for part in row[0].strip("`").split("…"):
            assert part.strip() in code


def test_the_changelog_says_what_is_not_released_yet() -> None:
    assert "\n## [Unreleased]\n" in read(ROOT / "CHANGELOG.md")


def test_the_figures_of_the_fault_matrix_are_those_of_the_code() -> None:
    every = [*cells(is_proxied=False), *cells(is_proxied=True)]
    assert f"all {len(every)} cells" in read(RELIABILITY)
    assert f"{2 * SAMPLE} cells" in read(RELIABILITY)
