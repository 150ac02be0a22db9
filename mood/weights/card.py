"""The card of trained weights: what they are, what they have seen, how they were chosen."""

from __future__ import annotations

from typing import Any


def card_text(config: dict[str, Any]) -> str:
    """Markdown for people, from what `config.json` holds for programs."""
    training = dict(config["training"])
    note = training.pop("note", "") or "Nothing was stated about the data."
    rows = {**config["settings"], **training}
    table = "\n".join(f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in rows.items())
    return (
        f"# {config['method']}-{config['region']}\n\n{note}\n\n"
        "The checkpoint was chosen by average precision on synthetic outliers (kinds that are not trained on) "
        f"planted in held-out healthy scans.\n\n| | |\n| --- | --- |\n{table}\n"
    )


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
