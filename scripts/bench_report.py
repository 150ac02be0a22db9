"""What a report costs beyond predicting: seconds for a folder of scans, and how large its pages are.

python scripts/bench_report.py SCANS PREDICTIONS     # both folders as `mood report` takes them
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    scans, predictions = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mood", "report", "-i", scans, "-p", predictions, "-o", folder, "-q"]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        wall = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        pages = sorted((path.stat().st_size for path in Path(folder, "scans").iterdir()), reverse=True)
        overview = Path(folder, "index.html").stat().st_size
    print(f"{len(pages)} scans on {os.cpu_count()} cores")
    print(f"report: {wall:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of processor, {used.ru_maxrss / 2**20:.2f} GiB")
    largest, together = pages[0] / 1e6, sum(pages) / 1e6
    print(f"pages: the largest {largest:.2f} MB, together {together:.1f} MB; overview {overview / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
