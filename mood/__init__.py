"""Out-of-distribution detection in brain MRI and abdominal CT.

    import mood

    result = mood.score("sub-01_T1w.nii.gz", region="brain")
    result.sample_score          # how abnormal the scan is, in [0, 1]
    result.map                   # how abnormal each of its voxels is, (X, Y, Z) in [0, 1]
    result.save("maps")          # NAME.nii.gz and NAME.nii.gz.txt

    detector = mood.load_detector("brain")
    results = [detector.score(path) for path in paths]

What is not asked for is not imported, so that `import mood` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mood.detector import Detector, Result, load_detector, score
    from mood.regions import REGIONS
    from mood.volume import Volume, load, save_map

__all__ = ["REGIONS", "Detector", "Result", "Volume", "load", "load_detector", "save_map", "score"]

_MODULES = {
    **dict.fromkeys(("Detector", "Result", "load_detector", "score"), "mood.detector"),
    **dict.fromkeys(("Volume", "load", "save_map"), "mood.volume"),
    "REGIONS": "mood.regions",
    "__version__": "mood.installation",
}


def __getattr__(name: str) -> Any:
    """What is public, imported when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'mood' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
