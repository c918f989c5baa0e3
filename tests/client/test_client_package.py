"""The public names and the imports of the client package."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import seq2sum

MODULES = ("addition", "golden", "model_versions")
HEAVY = ("tensorflow", "keras", "numpy", "tensorflow_serving")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_heavy_package():
    loaded = python(f"import seq2sum, sys; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded == "[]"


@pytest.mark.parametrize("module", [seq2sum.addition.contract, seq2sum.model_versions])
def test_contract_and_model_versions_import_only_the_standard_library(module):
    code = (
        "import importlib.util as u, sys; "
        f"spec = u.spec_from_file_location('loaded', {module.__file__!r}); "
        "module = u.module_from_spec(spec); sys.modules['loaded'] = module; "
        "spec.loader.exec_module(module); "
        "roots = {name.split('.')[0] for name in sys.modules} - {'loaded', '__main__'}; "
        "print(sorted(r for r in roots if r not in sys.stdlib_module_names "
        "and not r.startswith(('_', 'sitecustomize'))))"
    )
    assert python(code) == "[]"


def test_all_lists_the_public_names():
    public = {
        name
        for name, value in vars(seq2sum).items()
        if not name.startswith("_") and (not inspect.ismodule(value) or name in MODULES)
    }
    assert sorted(public) == sorted(seq2sum.__all__)


@pytest.mark.parametrize("name", [n for n in seq2sum.__all__ if n not in MODULES])
def test_public_names_have_public_module_and_docstring(name):
    value = getattr(seq2sum, name)
    assert value.__module__ == "seq2sum"
    assert inspect.getdoc(value)


def test_errors_are_subclasses_of_builtin_errors():
    assert issubclass(seq2sum.InvalidQuestion, ValueError)
    assert issubclass(seq2sum.DeadlineExceeded, TimeoutError)
    assert issubclass(seq2sum.Unavailable, ConnectionError)
    for name in seq2sum.__all__:
        value = getattr(seq2sum, name)
        if inspect.isclass(value) and issubclass(value, Exception):
            assert issubclass(value, seq2sum.Seq2SumError)
