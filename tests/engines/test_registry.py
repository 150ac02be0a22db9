"""Which engine is chosen, and what happens to networks that it cannot run."""

import ast
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from mood import engines, runtime
from mood.engines import CHOICES, ENGINES, PRECISIONS, choose
from mood.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "environment", "installed", "gpu", "backend", "engine"),
    [
        ("auto", "", {"tensorflow", "openvino"}, False, "openvino", "openvino"),
        ("auto", "", {"tensorflow", "openvino"}, True, "tensorflow", "keras"),
        ("auto", "", {"tensorflow"}, False, "tensorflow", "keras"),
        ("auto", "", {"openvino"}, True, "openvino", "openvino"),
        ("auto", "jax", {"jax", "openvino"}, False, "jax", "keras"),
        ("auto", "openvino", {"jax", "openvino"}, True, "openvino", "openvino"),
        ("keras", "", {"torch", "openvino"}, False, "torch", "keras"),
        ("keras", "openvino", {"torch", "openvino"}, False, "torch", "keras"),
        ("keras", "", {"openvino"}, False, "openvino", "keras"),
        ("openvino", "jax", {"jax", "openvino"}, True, "openvino", "openvino"),
        ("openvino", "torch", {"jax", "openvino"}, True, "openvino", "openvino"),
    ],
)
def test_the_engine_decides_the_backend(monkeypatch, asked, environment, installed, gpu, backend, engine):
    monkeypatch.setenv("KERAS_BACKEND", environment)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(runtime, "installed", lambda name: name in installed | {"keras"})
    monkeypatch.setattr(runtime, "has_gpu", lambda: gpu)
    assert choose(asked).name == engine
    assert os.environ["KERAS_BACKEND"] == backend


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", CHOICES)
def test_engine_and_precision_are_one_choice_and_no_variable_is_written(openvino, monkeypatch, name, precision):
    monkeypatch.setenv("MOOD_ENGINE", "unheard")
    monkeypatch.setenv("MOOD_PRECISION", "unheard")
    before = dict(os.environ)
    if name == "keras" and precision != "float32":
        refused = f"the engine keras has no {precision}. Leave out --engine, or choose openvino"
        with pytest.raises(UsageError, match=refused):
            choose(name, precision)
    else:
        engine = choose(name, precision)
        assert engine.precision == precision
        assert engine.takes_graphs == (precision == "int8")
        assert engine.name == (name if name != "auto" else "keras" if precision == "float32" else "openvino")
    assert dict(os.environ) == before


def test_what_there_is_not_is_said(monkeypatch):
    with pytest.raises(UsageError, match=r"unknown engine 'abacus'\. Choose one of: auto, keras, openvino"):
        choose("abacus")
    with pytest.raises(UsageError, match=r"unknown precision 'int4' .*\. Choose one of: float32, bfloat16, int8"):
        choose(precision="int4")
    monkeypatch.setattr(runtime, "installed", lambda package: package in ("keras", "tensorflow"))
    for arguments in (("openvino",), ("openvino", "int8"), ("auto", "int8")):
        with pytest.raises(UsageError, match=r"openvino is not installed. Run: pip install 'mood-ood\[openvino\]'"):
            choose(*arguments)


def test_an_engine_says_what_it_is(openvino):
    for name in ENGINES:
        described = choose(name).described()
        assert described["engine"].startswith(f"{name} ")
        assert described["precision"] == "float32"
        assert "CPU" in described["device"]
    assert "OpenVINO" in choose("openvino").device()


def test_choices_are_listed_without_importing_an_engine():
    code = "import sys\nfrom mood import engines\n[kind.available() for kind in engines.ENGINES.values()]\n"
    code += "assert not {'keras', 'openvino', 'tensorflow'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def unheard_of() -> dict[str, keras.Model]:
    """Networks that no engine but Keras takes, with weights that do not depend on the backend."""
    flat, solid = keras.Input((None, None, 2)), keras.Input((None, None, None, 1))
    x = keras.layers.Conv3D(4, 3, padding="same", activation="gelu")(solid)
    x = keras.layers.UpSampling3D(2)(keras.layers.MaxPooling3D(2)(x))
    x = keras.layers.Conv3D(1, 3, padding="same", activation="sigmoid")(keras.layers.GroupNormalization(2)(x))
    networks = {
        "layer": keras.Model(flat, keras.layers.GroupNormalization(1)(flat)),
        "activation": keras.Model(flat, keras.layers.Conv2D(1, 3, activation="gelu")(flat)),
        "volumes": keras.Model(solid, x),
    }
    rng = np.random.default_rng(0)
    for network in networks.values():
        network.set_weights([0.3 * rng.standard_normal(w.shape, np.float32) for w in network.weights])
    return networks


def images_for(network: keras.Model) -> list[np.ndarray]:
    rng, channels = np.random.default_rng(1), network.inputs[0].shape[-1]
    sides = [(2, 8, 12, 6), (1, 8, 12, 6), (1, 4, 6, 10)]
    return [rng.random((*shape[: network.inputs[0].ndim - 1], channels), np.float32) for shape in sides]


@pytest.mark.parametrize("name", ["layer", "activation", "volumes"])
def test_keras_runs_what_an_engine_cannot_and_one_line_says_so(openvino, caplog, name):
    network = unheard_of()[name]
    run = choose("openvino").runners({"one": network, "other": network})
    for images in images_for(network):
        np.testing.assert_allclose(run["other"](images), network.predict_on_batch(images), atol=1e-5)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Keras runs this network instead" in caplog.text


WITHOUT_ANOTHER_BACKEND = """
import sys
import numpy as np
from mood import engines
engine = engines.choose("openvino")
sys.path.insert(0, sys.argv[1])
from test_registry import images_for, unheard_of
for name, network in unheard_of().items():
    run = engine.runners({name: network})[name]
    np.savez(f"{sys.argv[2]}/{name}.npz", *map(run, images_for(network)))
assert not {"tensorflow", "torch", "jax"} & set(sys.modules)
"""


def test_so_it_does_where_keras_itself_runs_on_openvino(openvino, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    command = [sys.executable, "-c", WITHOUT_ANOTHER_BACKEND, Path(__file__).parent, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Keras runs this network instead") == 3
    for name, network in unheard_of().items():
        found = np.load(tmp_path / f"{name}.npz")
        for i, images in enumerate(images_for(network)):
            # Keras' own layers for OpenVINO compute gelu and the normalisation of groups a little less exactly.
            np.testing.assert_allclose(found[f"arr_{i}"], network.predict_on_batch(images), atol=1e-4)


def options(*pairs: tuple[str, str]) -> list[str]:
    return [f"--{option}={value}" for option, value in pairs]


ORDERS = [
    options(*order)
    for engine, precision in itertools.product(CHOICES, PRECISIONS)
    for order in itertools.permutations([("engine", engine), ("precision", precision)])
]


@pytest.mark.parametrize("arguments", ORDERS, ids=" ".join)
def test_options_work_in_any_order_and_change_nothing(openvino, monkeypatch, tmp_path, capsys, arguments):
    from mood import detector
    from mood.cli import app

    chosen = []

    def stop(region, method, weights, engine, precision):
        chosen.append((engine, precision))
        engines.choose(engine, precision)
        raise UsageError("stopped here", fix="Nothing")

    monkeypatch.setattr(detector, "load_detector", stop)
    (tmp_path / "a.nii.gz").touch()
    before = dict(os.environ)
    with pytest.raises(SystemExit) as stopped:
        app.run(["predict", *arguments, "-i", str(tmp_path), "-o", str(tmp_path / "out"), "-r", "brain"])
    assert stopped.value.code == 2
    given = dict(argument.removeprefix("--").split("=") for argument in arguments)
    assert chosen == [(given["engine"], given["precision"])]
    impossible = given["engine"] == "keras" and given["precision"] != "float32"
    assert (f"has no {given['precision']}" if impossible else "stopped here") in capsys.readouterr().err
    assert dict(os.environ) == before


def test_options_come_from_the_environment_too(monkeypatch, tmp_path, capsys):
    from mood.cli import app

    monkeypatch.setenv("MOOD_ENGINE", "keras")
    monkeypatch.setenv("MOOD_PRECISION", "int8")
    (tmp_path / "a.nii.gz").touch()
    with pytest.raises(SystemExit):
        app.run(["predict", "-i", str(tmp_path), "-o", str(tmp_path / "out"), "-r", "brain"])
    assert "the engine keras has no int8" in capsys.readouterr().err


def strings_and_imports(path: Path) -> Iterator[str]:
    """Every string that is no docstring, and the first part of every module that is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.value
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_nothing_else_names_a_backend_or_an_engine():
    package = Path(engines.__file__).parents[1]
    named = {*runtime.BACKENDS, "nncf"}
    # The last one lists the libraries whose versions are recorded.
    allowed = {*(package / "engines").iterdir(), package / "runtime.py", package / "installation.py"}
    for path in set(package.rglob("*.py")) - allowed:
        assert not named & set(strings_and_imports(path)), path
    assert named <= {word for path in allowed if path.suffix == ".py" for word in strings_and_imports(path)}
