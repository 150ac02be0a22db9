"""An untrained method, from a name and the settings that differ from its defaults."""

from __future__ import annotations

import json
import re
from typing import Any

from mood.errors import UsageError
from mood.methods import Method, method_type
from mood.methods.settings import Settings
from mood.regions import Region
from mood.typed import Unfit, encode, plain_value, renamed


def new_method(name: str, region: Region, settings: dict[str, Any]) -> Method:
    """An untrained method with its default settings and some of them changed.

    Parameters
    ----------
    name, region : str, Region
        As for `train`.
    settings : dict
        Those to change, by name; text is read as what the setting is.

    Raises
    ------
    UsageError
        When there is no such method or setting, or its value has another type or lies out of its range.
    """
    kind = method_type(name)
    defaults = kind.default_settings(region)
    changes = renamed(settings, kind.settings_type.old_names)
    values = {key: _like(getattr(defaults, key, None), value) for key, value in changes.items()}
    try:
        return kind(region, kind.settings_type.checked(defaults.to_dict() | values))
    except Unfit as error:
        fix = _example(str(error), defaults)
        raise UsageError(f"method '{name}' cannot have these settings ({error})", fix=fix) from error


def _example(trouble: str, defaults: Settings) -> str:
    """What to do about the setting that the trouble is with: its default shows how it is written."""
    name = re.split(r"\W", trouble)[0]
    default = encode(getattr(defaults, name, None))
    if default is None:
        return "Change or leave out the setting"
    written = ",".join(map(str, default)) if isinstance(default, list) else json.dumps(default)
    return f"Leave it out, or write it like --set {name}={written}"


def _like(default: Any, value: Any) -> Any:
    """Text for a setting that is a list, split at commas, its parts numbers where they read as such."""
    if not (isinstance(default, tuple) and isinstance(value, str)):
        return value
    return [part if isinstance(default[0], str) else plain_value(part) for part in value.split(",")]
