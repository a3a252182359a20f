"""Reads the documents: their headings, links, tables and fenced blocks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))

_HEADING = re.compile(r"#{1,6} (.+)")
_FENCE = re.compile(r"```(\w*)")
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and the heading it stands below."""

    heading: str
    language: str
    text: str


def read(document: Path) -> str:
    """A document's whole text."""
    return document.read_text(encoding="utf-8")


def blocks(document: Path, language: str) -> list[Block]:
    """A document's fenced blocks of one language, in order."""
    return [block for block in _all_blocks(document) if block.language == language]


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", read(document), flags=re.DOTALL | re.MULTILINE)


def headings(document: Path) -> list[str]:
    """A document's headings, in order."""
    return [found[1] for line in prose(document).splitlines() if (found := _HEADING.match(line))]


def anchors(document: Path) -> set[str]:
    """What a link to a heading of the document may say after `#`."""
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings(document)}


def links(document: Path) -> list[str]:
    """The targets of a document's links."""
    return _LINK.findall(prose(document))


def code_words(document: Path) -> list[str]:
    """What a document sets in backticks within its text."""
    return _CODE.findall(prose(document))


def table(document: Path, heading: str) -> list[list[str]]:
    """The cells of the tables below one heading, without their first two lines."""
    sections = re.split(r"^#{1,6} ", prose(document), flags=re.MULTILINE)
    section = next(text for text in sections if text.startswith(f"{heading}\n"))
    return cells([line for line in section.splitlines() if line.startswith("|")])[2:]


def cells(rows: Sequence[str]) -> list[list[str]]:
    """The cells of a table's lines."""
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def _all_blocks(document: Path) -> Iterator[Block]:
    heading, language, lines = "", None, list[str]()
    for line in read(document).splitlines():
        if language is not None and line == "```":
            yield Block(heading, language, "\n".join(lines) + "\n")
            language, lines = None, []
        elif language is not None:
            lines.append(line)
        elif found := _FENCE.match(line):
            language = found[1]
        elif found := _HEADING.match(line):
            heading = found[1]
