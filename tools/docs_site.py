"""Copies docs/ into build/docs, from where the site is built, and adapts links that leave docs/.

In a repository browser a link to `../examples/price/train.py` works, but a site has only its own
pages. Markdown files and pictures that are linked become part of the site, below `repository/`. A
link to any other file leads to the repository if `extra.repository` in mkdocs.yml has its address;
otherwise the file becomes part of the site too, as plain text.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(
    r"\[(?P<text>[^\]]*)\]"
    r"\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
)
PAGES_AND_PICTURES = {".md", ".png", ".svg"}
COPIES = "repository"


class IgnoreTags(yaml.SafeLoader):
    """Reads mkdocs.yml without calling the Python functions that it names."""


IgnoreTags.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def main() -> int:
    """Makes build/docs anew; returns the exit code."""
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(), IgnoreTags)
    out = ROOT / settings["docs_dir"]
    shutil.rmtree(out, ignore_errors=True)
    stage(DOCS, out, settings["extra"]["repository"])
    return 0


def stage(docs: Path, out: Path, repository: str) -> None:
    """Copies a folder of pages, and what they link to outside of it."""
    waiting = [path for path in docs.rglob("*") if path.is_file()]
    done: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source in done:
            continue
        done.add(source)
        copy = out / place(source, docs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text, linked = adapt(source.read_text(), source, docs, repository)
            copy.write_text(text)
            waiting += linked
        else:
            shutil.copyfile(source, copy)


def place(source: Path, docs: Path) -> Path:
    """Returns where a file is in the site, relative to its root."""
    if source.is_relative_to(docs):
        return source.relative_to(docs)
    path = Path(COPIES) / source.relative_to(docs.parent)
    # Browsers download what they do not know, but show .txt.
    shown = source.suffix in PAGES_AND_PICTURES | {".txt"}
    return path if shown else path.with_name(f"{path.name}.txt")


def adapt(text: str, page: Path, docs: Path, repository: str) -> tuple[str, list[Path]]:
    """Returns a page with adapted links, and the files outside `docs` that it needs in the site.

    A link to a folder is replaced by its text if no address of the repository is known.

    Raises:
        SystemExit: A link leads nowhere.
    """
    linked: list[Path] = []

    def adapted(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / link["path"]))
        if not target.exists():
            raise SystemExit(f"{page}: no such file: {link['path']}")
        inside = target.is_relative_to(docs)
        if repository and not inside and target.suffix not in PAGES_AND_PICTURES:
            address = f"{repository.rstrip('/')}/{target.relative_to(docs.parent).as_posix()}"
        elif target.is_dir():
            return link["text"]
        else:
            linked.extend([] if inside else [target])
            start = place(page, docs).parent
            address = Path(os.path.relpath(place(target, docs), start)).as_posix()
        return f"[{link['text']}]({address}{link['anchor'] or ''})"

    parts = FENCED.split(text)
    parts[::2] = [LINK.sub(adapted, part) for part in parts[::2]]
    return "".join(parts), linked


if __name__ == "__main__":
    sys.exit(main())
