"""The table that decides: every method beside the baselines, on known outliers in healthy scans none has seen.

python scripts/bench_detection.py --data FOLDER [--quick] [--json FILE] [--pictures FOLDER]

The same as `mood bench`; `mood/benchmark/command.py` says what it measures.
"""

from mood.benchmark.command import main

if __name__ == "__main__":
    main()
