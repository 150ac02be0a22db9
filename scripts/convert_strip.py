"""Make the arrays of the skull-stripping networks from the published ones; needed once, without PyTorch.

    pip download --no-deps deepbet==1.0.2
    python scripts/convert_strip.py deepbet-1.0.2-py3-none-any.whl

The wheel holds two TorchScript archives: a pickle that describes modules, and their arrays as files. Only
descriptions are unpickled, nothing that could run. The licence is put beside the arrays.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mood.networks.linknet3d import ARRAYS, build_linknet3d

MEMBERS = {"box": "data/models/bbox_model.pt", "mask": "data/models/model.pt"}
LICENCE = "deepbet-1.0.2.dist-info/LICENSE"
# The published names of layers and those of today.
RENAMED = (
    (r"^init\.0$", "init"),
    (r"^tp_conv1\.0$", "out_transposed"),
    (r"^conv\.0$", "out"),
    (r"^tp_conv2$", "shares"),
    (r"\.double_conv\.0$", "_conv1"),
    (r"\.double_conv\.3$", "_conv2"),
    (r"\.downsample\.0$", "_shortcut"),
    (r"\.tp_conv\.0$", "_transposed"),
    (r"\.(conv\d)\.0$", r"_\1"),
    (r"\.", "_"),
)


class Module:
    """What a description says of a module, whatever it was."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class Descriptions(pickle.Unpickler):
    """Reads what the modules are made of, and refuses everything else."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _array
        if module == "torch" and name == "FloatStorage":
            return np.float32
        if module.startswith("__torch__"):
            return Module
        raise pickle.UnpicklingError(f"{module}.{name} is no description of an array")

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, *_ = pid
        return np.frombuffer(self.archive.read(f"{self.root}/data/{key}"), kind)


def _array(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> np.ndarray:
    count = int(np.prod(size))
    contiguous = np.zeros(size).strides
    if tuple(8 * step for step in stride) != contiguous and count > 1:
        raise ValueError("an array is not contiguous")
    return storage[offset : offset + count].reshape(size)


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive by their published names."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    root = archive.namelist()[0].split("/")[0]
    found: dict[str, np.ndarray] = {}
    _collect(Descriptions(archive, root).load(), "", found)
    return found


def _collect(module: Module, prefix: str, found: dict[str, np.ndarray]) -> None:
    for name, value in vars(module).items():
        if isinstance(value, np.ndarray):
            found[prefix + name] = value
        elif isinstance(value, Module):
            _collect(value, f"{prefix}{name}.", found)


def renamed(name: str) -> str:
    for published, own in RENAMED:
        name = re.sub(published, own, name)
    return name


def write(arrays: dict[str, np.ndarray], group: h5py.Group) -> None:
    """Kernels as (X, Y, Z, in, out) float16; transposed ones as (X, Y, Z, out, in); every layer must get its own."""
    network = build_linknet3d()
    for name, values in arrays.items():
        layer, part = name.rsplit(".", 1)
        target = network.get_layer(renamed(layer))
        kept = values.transpose(2, 3, 4, 1, 0) if part == "weight" else values
        wanted = target.kernel if part == "weight" else target.bias
        if kept.shape != tuple(wanted.shape):
            raise ValueError(f"{name}: {kept.shape} instead of {tuple(wanted.shape)}")
        kind = np.float16 if part == "weight" else np.float32
        where = group.require_group(target.name)
        where.create_dataset("kernel" if part == "weight" else "bias", data=kept.astype(kind), track_times=False)
    with_arrays = {layer.name for layer in network.layers if layer.weights}
    if with_arrays != set(group):
        raise ValueError(f"layers without arrays: {sorted(with_arrays - set(group))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    wheel = zipfile.ZipFile(parser.parse_args().wheel)
    ARRAYS.parent.mkdir(exist_ok=True)
    with h5py.File(ARRAYS, "w") as file:
        for name, member in MEMBERS.items():
            write(read_arrays(wheel.read(member)), file.create_group(name))
    ARRAYS.with_name("deepbet.LICENSE").write_bytes(wheel.read(LICENCE))
    print(f"{ARRAYS}: {hashlib.sha256(ARRAYS.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
