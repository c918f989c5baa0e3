"""The section about any model in the client's README."""

from __future__ import annotations

import contextlib
import io

from support import doc_snippets


def test_snippet_prints_its_output():
    page = doc_snippets.text("client/README.md")
    section = page.partition("## Any model\n")[2].partition("\n## ")[0]
    (language, code), (_, output) = doc_snippets.blocks(section)
    assert language == "python"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "readme"})
    assert printed.getvalue() == output
