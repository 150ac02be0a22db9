"""Whether a scan is what a region's weights know: body part, modality and preparation, before any method scores it.

verdict.py   what is measured of a scan, its limits, and what comes of both
brain.py     volume, size, voxels, contrast and the registration to the template: a skull-stripped T1 of a whole brain?
abdomen.py   the body's cross-section, gas and what lies under the skin: an abdominal CT?
check.py     which of them looks at a region: `check_fit`

The limits come from scans of known kinds: `scripts/bench_fit.py` measures them and prints how they fare.
"""
