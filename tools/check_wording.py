"""Checks the wording of code and documentation: plain English, standard terms.

    python tools/check_wording.py [--count] [FILE ...]

Prints every finding as `file:line: text: what to write instead` and exits with 1 if it has any.
Without files it reads all tracked ones. In Python it reads docstrings, comments, string literals
and names; in Markdown everything outside code blocks. `docs/glossary.md` explains the terms.

A sentence that needs one of these words, such as a recorded message of another program, carries
`wording: ok` in the same or the line above.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUFFIXES = (".py", ".md")
EXCLUDED = re.compile(r"_pb2\.pyi?$|^tests/conformance/.*\.jsonl$|check_wording\.py$")
ALLOWED = "wording: ok"

DOCSTRING = re.compile(r"(What|How|Who|Whoever|Why|Where)\b|Whether (it|this|that|there) is no\b")
"""Openings that make a reader guess; a docstring defines a thing or says what a function does."""
PROSE = {
    r"\b(tell|tells|told|telling)\b": "report, return, raise, log or show",
    r"(?<![Tt]here )\b(is|are) no (?!(longer|more|different|less|fewer)\b)": "is not a valid ...",
    r"\b(says|said) of (itself|themselves)\b": "reports",
    r"\b[Ww]hoever\b": "the caller, the client, the user",
    r"\b(of|on|by) (its|their) own\b": "separate, by itself",
    r"\bas there\b": "as tensorflow_model_server does",
    r"\bbeside\b": "next to, in addition to",
    r"\b(begin|begins|began|begun) anew\b": "restart",
    r"\bto begin with\b": "first, at the start",
    r"\bthe whole way\b": "completely",
    r"\bfor ever\b": "forever, without a limit",
    r"\bgives? back\b": "returns",
}
"""Patterns to avoid, each with what to write instead."""
NAMES = re.compile(r"(?:^|_)(tell|tells|told|whoever|beside|anew)(?:_|$)|_(is|are)_no_")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place where the wording should change."""

    path: str
    line: int
    text: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r}: {self.advice}"


def of_text(path: str, line: int, text: str) -> Iterator[Finding]:
    """Yields the findings in prose that starts at a line."""
    for number, row in enumerate(text.splitlines(), line):
        for pattern, advice in PROSE.items():
            for match in re.finditer(pattern, row):
                yield Finding(path, number, match[0].strip(), f"write {advice}")


def of_markdown(path: str, source: str) -> Iterator[Finding]:
    """Yields the findings outside code blocks and code spans."""
    fenced = False
    for number, row in enumerate(source.splitlines(), 1):
        if row.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield from of_text(path, number, re.sub(r"`[^`]*`", "", row))


def of_python(path: str, source: str) -> Iterator[Finding]:
    """Yields the findings in comments, string literals, docstrings and names."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield from of_text(path, token.start[0], token.string)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            opening = DOCSTRING.match(text)
            if opening and not text.partition("\n")[0].endswith("?"):
                yield Finding(
                    path, node.body[0].lineno, text.partition("\n")[0],
                    "start with a verb (Returns ...) or a noun that defines the thing",
                )  # fmt: skip
        name = getattr(node, "name", None) or getattr(node, "arg", None)
        if isinstance(name, str) and (match := NAMES.search(name)):
            yield Finding(path, node.lineno, name, f"name it without {match[0].strip('_')!r}")


def findings(path: str, source: str) -> list[Finding]:
    """Returns the findings of one file in the order of its lines, without those allowed."""
    rows = ["", *source.splitlines()]

    def allowed(line: int) -> bool:
        return any(ALLOWED in row for row in rows[max(line - 1, 0) : line + 1])

    found = of_python(path, source) if path.endswith(".py") else of_markdown(path, source)
    return sorted({finding for finding in found if not allowed(finding.line)})


def tracked() -> list[str]:
    """Returns the files under version control that are read, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [
        path for path in listed.splitlines()
        if path.endswith(SUFFIXES) and not EXCLUDED.search(path) and (ROOT / path).is_file()
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Prints the findings; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", action="store_true", help="print the number of each text only")
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: all tracked files")
    options = parser.parse_args(arguments)
    found = [
        finding
        for path in options.files or tracked()
        for finding in findings(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    if options.count:
        for text, number in Counter(finding.advice for finding in found).most_common():
            print(f"{number:6} {text}")
    else:
        print(*found, sep="\n", end="\n" if found else "")
    if found:
        print(f"{len(found)} findings; {ALLOWED!r} in a comment allows one", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
