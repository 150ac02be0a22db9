"""What is public is documented as numpydoc asks: every parameter with its type and what it means, in order.

The one line of a docstring without sections says what is returned, and the type hint what it is, so no section for it
is asked for (RT01). Fields of a dataclass are documented where they stand or as attributes, so a class needs no list of
parameters (PR01).
"""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest
from numpydoc.validate import validate

import mood

# What callers call, and the seams that the recipes in CONTRIBUTING.md name.
MODULES = (
    "mood.evaluation.bootstrap",
    "mood.evaluation.metrics",
    "mood.installation",
    "mood.methods",
    "mood.methods.base",
    "mood.synthesis.fpi",
    "mood.training.join",
    "mood.training.provenance",
    "mood.training.quantise",
    "mood.training.run",
    "mood.weights.card",
)
WANTED = {"GL08", "PR01", "PR02", "PR03", "PR04", "PR06", "PR07", "PR10", "RT03", "YD01"}
CLASSES = ("mood.engines.Engine",)
# Each has one parameter, which its one line explains, or which is explained at the method it is the counterpart of.
ONE_LINE = {
    f"mood.methods.base.{name}"
    for name in (
        "Method.load_state",
        "Method.load_weights",
        "Method.raw_sample_score",
        "Method.save_state",
        "Method.use_graphs",
        "finite",
    )
}
OF_CLASSES = WANTED - {"PR01"}
WITH_EXAMPLES = ("mood.installation", "mood.synthesis.fpi")


def public(module_name: str) -> list[str]:
    """Functions, classes and their members that a module defines, by full name."""
    module, names = importlib.import_module(module_name), []
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module_name:
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            names.append(f"{module_name}.{name}")
        if inspect.isclass(value):
            names += members(f"{module_name}.{name}")
    return names


def members(class_name: str) -> list[str]:
    """What a class defines itself, by full name; what it overrides is documented where it is declared."""
    module_name, _, name = class_name.rpartition(".")
    kind, kinds = getattr(importlib.import_module(module_name), name), (property, classmethod, staticmethod)
    own = [key for key, member in vars(kind).items() if inspect.isfunction(member) or isinstance(member, kinds)]
    declared = {key for base in kind.__mro__[1:] for key in vars(base)}
    return [f"{class_name}.{key}" for key in own if not key.startswith("_") and key not in declared]


def exported() -> list[str]:
    """What `import mood` gives, where it is defined."""
    values = [getattr(mood, name) for name in getattr(mood, "__all__", ())]
    return [f"{value.__module__}.{value.__qualname__}" for value in values if callable(value)]


def everything() -> list[str]:
    """All that is held to it."""
    named = [*(name for module in MODULES for name in public(module)), *(n for kind in CLASSES for n in members(kind))]
    return sorted({*exported(), *named} - ONE_LINE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", everything())
def test_what_is_public_is_documented(name):
    found = validate(name)
    wanted = WANTED if found["type"] in ("function", "property", "method") else OF_CLASSES
    assert [f"{code}: {text}" for code, text in found["errors"] if code in wanted] == []


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
