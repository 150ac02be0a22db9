"""Weights folders that were altered, by hand or by accident: each is refused in a sentence, and before memory is taken.

The checksum of altered arrays is made right again, since damage that it shows is tested in test_store.py.
"""

import json
import os
import shutil

import h5py
import numpy as np
import pytest

from mood.errors import UsageError, WeightsError
from mood.methods import load_method
from mood.weights.store import ARRAYS, CONFIG, PACKAGED, checksum, default_method, read_folder

BUILDERS = (
    "mood.methods.mix.method.build_unet",
    "mood.methods.fpi.build_wide_resnet",
    "mood.methods.ascnet.method.build_main_module",
)


@pytest.fixture
def copied(tmp_path):
    """copied('mix-brain') is a copy of packaged weights that may be altered."""
    return lambda name: shutil.copytree(PACKAGED / name, tmp_path / name)


@pytest.fixture
def nothing_is_built(monkeypatch):
    """No network is built: what is refused is refused before."""

    def build(*sizes: object) -> None:
        pytest.fail(f"a network of {sizes} was built")

    for builder in BUILDERS:
        monkeypatch.setattr(builder, build)


def refused(folder):
    with pytest.raises((WeightsError, UsageError)) as error:
        load_method(read_folder(folder))
    assert len(str(error.value)) < 600
    assert "Traceback" not in str(error.value)
    return str(error.value)


RAW = {
    "empty": b"",
    "cut short": b'{"method": "mix", "region"',
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "text": b'"mix"',
    "not UTF-8": b'{"method": "mi\xffx"}',
    "UTF-16": '{"method": "mix"}'.encode("utf-16"),
    "nested": b'{"settings": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN": b'{"method": "mix", "region": "brain", "settings": {"width": NaN}}',
    "huge": b" " * 2**21,
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("text", RAW.values(), ids=RAW)
def test_fault_25_a_config_that_is_no_description_is_refused(copied, nothing_is_built, text):
    folder = copied("mix-brain")
    (folder / CONFIG).write_bytes(text)
    assert CONFIG in refused(folder)


def test_fault_25_a_pipe_is_not_waited_for(copied, nothing_is_built):
    folder = copied("mix-brain")
    (folder / CONFIG).unlink()
    os.mkfifo(folder / CONFIG)
    assert "not a regular file" in refused(folder)
    assert default_method("brain", folder) == "joint"  # a search passes it over


def test_a_file_is_no_weights_folder(copied, nothing_is_built):
    assert "no config.json" in refused(copied("mix-brain") / ARRAYS)


TOP = {
    "method": [None, 7, "", "magic", ["mix"], "../mix", "x" * 1000],
    "region": [None, 7, "leg", {}],
    "settings": [None, [], "wide", {}, {"colour": "red"}],
    "training": [None, [], {"steps": -1}, {"steps": "many"}, {"held_out_scans": 5}, {"minutes": float("inf")}],
    "sha256": [None, 7, "", "abc", "z" * 64],
    "calibration": [
        {},
        [],
        {"log_mean": None, "log_spread": 0.1, "rare_values": [0.1, 0.2, 0.3, 0.4, 0.5]},
        {"log_mean": float("nan"), "log_spread": 1, "rare_values": [0.1, 0.2, 0.3, 0.4, 0.5]},
        {"log_mean": -1, "log_spread": 0, "rare_values": [0.1, 0.2, 0.3, 0.4, 0.5]},
        {"log_mean": -1, "log_spread": -1, "rare_values": [0.1, 0.2, 0.3, 0.4, 0.5]},
        {"log_mean": 1e9, "log_spread": 1, "rare_values": [0.1, 0.2, 0.3, 0.4, 0.5]},
        {"log_mean": -1, "log_spread": 1, "rare_values": [0.1, 0.2]},
        {"log_mean": -1, "log_spread": 1, "rare_values": [0.5, 0.4, 0.3, 0.2, 0.1]},
        {"log_mean": -1, "log_spread": 1, "rare_values": [0.1, 0.2, 0.3, 0.4, 7]},
        {"log_mean": "low", "log_spread": 1, "rare_values": [0.1, 0.2, 0.3, 0.4, 0.5]},
    ],
    "bench": [[], {}, {"bench_group": 1}, {"bench_group": "1 mm", "bench_pixel_ap": 2}],
    "int8": [[], {"network": None}, {"network": {"../../x.xml": "0" * 64}}, {"network": {"a.xml": "0"}}],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in TOP.items() for value in values], ids=lambda v: str(v)[:24]
)
def test_fault_11_and_25_a_config_with_another_type_or_range_is_refused(copied, nothing_is_built, key, value):
    folder = copied("mix-brain")
    config = json.loads((folder / CONFIG).read_text())
    if (key, value) in (("calibration", None), ("bench", None), ("int8", None)):
        pytest.fail("these may be absent")
    # JSON has no infinity: a number beyond what a float holds stands for it.
    text = json.dumps(config | {key: value}).replace("Infinity", "1e999")
    (folder / CONFIG).write_text(text)
    refused(folder)


@pytest.mark.parametrize("key", ["method", "region", "settings", "sha256"])
def test_a_config_without_a_needed_key_is_refused(copied, nothing_is_built, key):
    folder = copied("mix-brain")
    config = json.loads((folder / CONFIG).read_text())
    del config[key]
    (folder / CONFIG).write_text(json.dumps(config))
    assert key in refused(folder)


SETTINGS = {
    "mix-brain": {
        "grid_shape": [None, 128, "128", [128, 128], [128, 128, 128.5], [0, 128, 128], [-1, 128, 128], [1, 1, 1],
                       [3000, 3000, 3000], [1024, 1024, 1024], [True, 128, 128]],
        "spacing_mm": [None, [-1, 1, 1], [0, 1, 1], [1e9, 1, 1], [1e-9, 1, 1], ["a", 1, 1], [1, 1]],
        "slice_axis": [7, -1, 1.5, "z", None],
        "tasks": [[], "fpi", ["magic"], [7], None],
        "width": [0, -1, 10**6, 10**30, "wide", 1.5, None, True],
        "members": [0, 10**6, 33, "three"],
        "reach": [-1, 10**6, "far"],
        "looks": [[], ["rosy"], "plain", None],
        "smoothing_mm": [-1, 1e9, "much"],
        "momentum": [1, -1, "much"],
        "learning_rate": [0, -1, 1e30, "fast"],
        "batch_size": [0, 10**9],
    },
    "fpi-abdom": {
        "architecture": ["cathedral", 7],
        "classes": [0, 10**6],
        "width": [10**6],
        "patch_core": [0, 2],
        "difference_step": [-1],
        "grid_shape": [[3000, 3000, 3000]],
    },
    "ascnet-brain": {
        "width": [10**6],
        "discriminator_top": [10**6],
        "threshold": [0, 1, 7, "low"],
        "published_disjointness": ["no", 2],
        "most_rounds": [0],
    },
}  # fmt: skip
ALTERED = [
    pytest.param(name, key, value, id=f"{name}-{key}-{value}"[:60])
    for name, settings in SETTINGS.items()
    for key, values in settings.items()
    for value in values
]


@pytest.mark.parametrize(("name", "key", "value"), ALTERED)
def test_fault_26_settings_that_cannot_be_meant_are_refused(copied, nothing_is_built, name, key, value):
    folder = copied(name)
    config = json.loads((folder / CONFIG).read_text())
    config["settings"][key] = value
    (folder / CONFIG).write_text(json.dumps(config))
    refused(folder)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_are_missing_are_named(copied, nothing_is_built, name):
    folder = copied(name)
    config = json.loads((folder / CONFIG).read_text())
    del config["settings"]["grid_shape"]
    (folder / CONFIG).write_text(json.dumps(config))
    assert "grid_shape" in refused(folder)


def sign(folder):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | {"sha256": checksum(folder / ARRAYS)}))


def arrays_of(file):
    found = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def with_value(value):
    def alter(path):
        with h5py.File(path, "r+") as file:
            array = max(arrays_of(file), key=lambda a: a.size)
            array[...] = np.full(array.shape, value, array.dtype)

    return alter


def without_an_array(path):
    with h5py.File(path, "r+") as file:
        name = arrays_of(file)[0].name
        del file[name]


def with_text(path):
    with h5py.File(path, "r+") as file:
        name = arrays_of(file)[0].name
        del file[name]
        file[name] = "text"


def with_a_huge_claim(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("bomb", (100_000, 100_000), "float32", chunks=(100, 100), compression="gzip")


def of_another_shape(path):
    with h5py.File(path, "r+") as file:
        name = arrays_of(file)[0].name
        del file[name]
        file[name] = np.zeros((1, 2, 3), np.float32)


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    damaged = bytearray(path.read_bytes())
    for i in range(96, 4096, 7):
        damaged[i] ^= 0xFF
    path.write_bytes(damaged)


DAMAGE = {
    "NaN": with_value(np.nan),
    "infinite": with_value(np.inf),
    "an array missing": without_an_array,
    "text": with_text,
    "huge claim": with_a_huge_claim,
    "another shape": of_another_shape,
    "cut short": cut_short,
    "flipped bytes": flipped,
    "empty": lambda path: path.write_bytes(b""),
    "text file": lambda path: path.write_text("no HDF5"),
}


@pytest.mark.parametrize("name", ["mix-abdom", "ascnet-brain"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_fault_11_and_25_damaged_arrays_with_a_right_checksum_are_refused(copied, name, damage):
    folder = copied(name)
    damage(folder / ARRAYS)
    sign(folder)
    refused(folder)


LEVELS = [
    "",
    "{}",
    "[]",
    '{"positions": [], "scores": [], "split": true}',
    '{"positions": [0.5, 0.1], "scores": [0, 1], "split": true}',
    '{"positions": [0.1, 0.5], "scores": [0], "split": true}',
    '{"positions": [0.1, NaN], "scores": [0, 1], "split": true}',
    '{"positions": [0.1, 0.5], "scores": [0, 9], "split": true}',
]


@pytest.mark.parametrize("text", LEVELS)
def test_damaged_grey_levels_are_refused(copied, text):
    folder = copied("ascnet-brain")
    with h5py.File(folder / ARRAYS, "r+") as file:
        file["iro"].attrs["levels"] = text
    sign(folder)
    assert "grey levels" in refused(folder)


def test_settings_under_their_names_of_before_load(copied):
    folder = copied("mix-abdom")
    config = json.loads((folder / CONFIG).read_text())
    assert "looks" in config["settings"]
    settings = load_method(read_folder(folder)).settings
    assert (settings.views, settings.context) == (("plain",), 2)
    assert settings.to_dict()["views"] == ["plain"]
