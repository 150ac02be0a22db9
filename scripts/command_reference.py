"""The reference of the command line, made from its declarations.

python scripts/command_reference.py > docs/commands.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer

from mood.cli.app import app
from mood.cli.options import Choice

HEAD = """# Commands

Made by `python scripts/command_reference.py > docs/commands.md`. `mood COMMAND --help` says the same on a terminal;
[reference.md](reference.md) has files, exit statuses and environment variables.
"""


def main() -> None:
    print(reference(), end="")


def reference() -> str:
    """Every command with its options, as Markdown."""
    group = typer.main.get_command(app)
    return "\n".join([HEAD, *("\n".join(_section(name, command)) for name, command in _commands(group))])


def _commands(group, before: str = "") -> Iterator[tuple[str, object]]:
    """Every command with its name, those of commands that are groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _section(name: str, command) -> Iterator[str]:
    yield f"## mood {name}"
    yield ""
    yield " ".join((command.help or "").split())
    yield ""
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        yield from ("| option | default | what |", "| --- | --- | --- |", *rows, "")


def _row(parameter) -> str:
    names = parameter.opts + parameter.secondary_opts
    if parameter.param_type_name == "argument":
        names = [parameter.name.upper()]
    about = _plain(getattr(parameter, "help", None) or "")
    chosen = parameter.type_descriptor.parameter_info.parser
    if isinstance(chosen, Choice):
        about = f"{about} One of: {', '.join(chosen.names())}."
    if parameter.envvar:
        about = f"{about} Also `{parameter.envvar}` in the environment."
    cells = (", ".join(f"`{name}`" for name in names), _default(parameter), about.strip().replace("|", "\\|"))
    return f"| {' | '.join(cells)} |"


def _default(parameter) -> str:
    if parameter.required:
        return "needed"
    unset = parameter.default in (None, "", (), []) or not isinstance(parameter.default, str | int | float)
    if unset or getattr(parameter, "is_flag", False):
        return ""
    return f"`{parameter.default}`"


def _plain(text: str) -> str:
    """Help text without the terminal's own mark-up, on one line."""
    return " ".join(re.sub(r"\[/?[a-z ]+\]", "", text).split())


if __name__ == "__main__":
    main()
