"""The section about any model in docs/client.md."""

from __future__ import annotations

import contextlib
import io

from support import doc_snippets


def test_snippet_prints_its_output():
    page = doc_snippets.text("docs/client.md")
    section = page.partition("## Any model\n")[2].partition("\n## ")[0]
    (language, code), (_, output) = doc_snippets.blocks(section)
    assert language == "python"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "page"})
    assert printed.getvalue() == output
