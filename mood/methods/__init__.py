"""The methods, by name. Importing this package imports no network."""

from __future__ import annotations

import importlib
from typing import Any

from mood import engines, runtime
from mood.engines import Engine
from mood.errors import WeightsError, unknown
from mood.methods.base import Method
from mood.regions import get_region
from mood.weights.store import WeightsFolder

runtime.prepare_import()  # for the modules of this package, which import Keras

REGISTRY = {
    "fpi": "mood.methods.fpi:Fpi",
    "ascnet": "mood.methods.ascnet.method:AscNet",
    "ensemble": "mood.methods.ensemble:Ensemble",
    "mix": "mood.methods.mix.method:Mix",
    "mix3d": "mood.methods.mix3d:Mix3d",
    "detail": "mood.methods.detail:Detail",
    "normative": "mood.methods.normative.method:Normative",
    "joint": "mood.methods.joint:Joint",
    "atlas": "mood.methods.baselines.atlas:Atlas",
    "pca": "mood.methods.baselines.pca:Pca",
    "autoencoder": "mood.methods.baselines.autoencoder:Autoencoder",
}
BASELINES = ("atlas", "pca", "autoencoder")  # what a method worth having must beat
MEMBERS = {
    "ensemble": ("fpi", "ascnet"),
    "joint": ("detail", "normative"),
}  # methods that can take the trained weights of others


def known(name: str) -> str:
    """`name`, when there is a method of this name; else `UsageError`.

    Parameters
    ----------
    name : str
        As a user wrote it.
    """
    if name not in REGISTRY:
        raise unknown("method", name, REGISTRY)
    return name


def method_type(name: str) -> type[Method]:
    """The class of a method; `UsageError` when there is none of this name.

    Parameters
    ----------
    name : str
        As in `REGISTRY`.
    """
    module, _, attribute = REGISTRY[known(name)].partition(":")
    return getattr(importlib.import_module(module), attribute)


def load_method(weights: WeightsFolder, engine: Engine | str = engines.AUTO, precision: str = engines.EXACT) -> Method:
    """A method ready to predict.

    Parameters
    ----------
    weights : WeightsFolder
        Of any method.
    engine : Engine or str
        What runs its networks; a name and `precision` are for `mood.engines.choose`.
    precision : str
        Left alone where `engine` is one.

    Raises
    ------
    WeightsError
        When the weights are damaged or do not fit.
    UsageError
        When there is no such engine, or the method does not run at its precision.
    """
    running = engine if isinstance(engine, Engine) else engines.choose(engine, precision)
    if weights.members:
        members = [load_method(member, running) for member in weights.members]
        method = method_type(weights.method).composed_of(members, weights.config.settings)
        method.engine, method.calibration = running, weights.calibration
        return method
    method = _build(weights.method, weights.region, weights.config.settings)
    method.engine = running
    load_arrays(method, weights, fix="Restore both files from one source")
    if running.takes_graphs:
        method.use_graphs(weights.verified_graphs())
    method.calibration = weights.calibration
    return method


def load_arrays(method: Method, weights: WeightsFolder, fix: str) -> None:
    """Give a method the arrays of a weights folder; `WeightsError` when they are damaged or do not fit.

    Parameters
    ----------
    method : Method
        Built with the settings that the weights were trained with.
    weights : WeightsFolder
        Where the arrays are.
    fix : str
        What to do when they do not fit, for the message.
    """
    arrays = weights.verified_arrays()
    try:
        method.load_weights(arrays)
    except WeightsError:
        raise
    except Exception as error:  # files that were checked and still do not fit fail in as many ways as there are
        what = f"the arrays do not fit the settings ({(str(error).splitlines() or [type(error).__name__])[0]})"
        raise WeightsError(what, where=weights.path, fix=fix) from error


def _build(name: str, region: str, settings: dict[str, Any]) -> Method:
    kind = method_type(name)
    return kind(get_region(region), kind.settings_type.from_dict(settings))
