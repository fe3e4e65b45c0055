"""What the documents say, taken apart: blocks of code, tables of options, links, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^<!-- options: ([\w -]+) -->\n((?:\|.*\n)+)", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_PATH = re.compile(r"(?:models|export|runtime|bench|benchmarks|tests|docs)/[\w./-]*")
_MODULE = re.compile(r"\bshufflenet_deploy(?:\.\w+)+")
_SEPARATORS = {"|", "||", "&&", ";", "&"}


@dataclass(frozen=True)
class OptionTable:
    """A table that lists all options of a command."""

    command: str
    """Its words, such as ``shufflenet-bench compare``."""
    options: frozenset[str]


@dataclass(frozen=True)
class Document:
    """One file of Markdown."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """All but the blocks of code."""
        return _BLOCK.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        return [body for name, body in _BLOCK.findall(self.text) if name == language]

    def steps(self, heading: str | None = None) -> list[tuple[str, str]]:
        """Of the section that begins with `heading`, or of all: programs, and lines to type."""
        section = self.text
        if heading:
            section = section.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        steps = []
        for language, body in _BLOCK.findall(section):
            if language == "python":
                steps.append((language, body))
            elif language == "console":
                steps += [(language, line) for line in typed(body)]
        return steps

    def option_tables(self) -> list[OptionTable]:
        return [
            OptionTable(command, frozenset(_named(table)))
            for command, table in _TABLE.findall(self.text)
        ]

    def spans(self) -> list[str]:
        """What stands between backticks."""
        return _SPAN.findall(self.prose)

    def options(self) -> set[str]:
        """Those that are named in backticks, of whatever command."""
        return {option for span in self.spans() for option in options_in(span)}

    def paths(self) -> set[str]:
        """Of this repository, in backticks."""
        return {span for span in self.spans() if _PATH.fullmatch(span)}

    def modules(self) -> set[str]:
        """Dotted names below ``shufflenet_deploy``, wherever they stand."""
        return set(_MODULE.findall(self.text))

    def links(self) -> list[str]:
        """Targets of links that are relative."""
        return [target for target in _LINK.findall(self.prose) if "://" not in target]

    def anchors(self) -> set[str]:
        """Of its headings, as GitHub makes them."""
        return {anchor(heading) for heading in _HEADING.findall(self.prose)}

    def command_lines(self) -> list[list[str]]:
        """The words of each command that a console block shows, a pipeline's one by one."""
        return [
            words
            for block in self.blocks("console")
            for line in typed(block)
            for words in _split(line)
        ]


def options_in(text: str) -> set[str]:
    """Every ``--option`` of `text`."""
    return set(_OPTION.findall(text))


def _named(table: str) -> Iterator[str]:
    """The options in the first cell of each of the table's rows."""
    for row in table.splitlines():
        yield from options_in(row.split("|")[1])


def anchor(heading: str) -> str:
    """GitHub's: in small letters, without punctuation, hyphens for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def typed(block: str) -> Iterator[str]:
    """What stands behind a prompt, with the lines that continue it; the rest is output."""
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            typed = line.removeprefix("$ ")
            while typed.rstrip().endswith(("\\", "|")):
                typed = typed.rstrip().removesuffix("\\") + " " + next(lines).strip()
            yield typed


def _split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in _SEPARATORS:
            yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words
