"""Predict with the command line of FPI's `pred_simple.py`; `mood predict` has more options.

python scripts/pred_simple.py -i INPUT_FOLDER -o OUTPUT_FOLDER -m sample|pixel -d brain|abdom

Weights placed in restore_dir/brain or restore_dir/abdom are used; without them, those that come with mood.
"""

from __future__ import annotations

import argparse

from mood.cli.app import run
from mood.regions import REGIONS


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Score a folder of scans with FPI.")
    parser.add_argument("-i", "--input_dir", required=True, help="folder of NAME.nii.gz scans")
    parser.add_argument("-o", "--output_dir", required=True, help="folder of the predictions")
    parser.add_argument("-m", "-mode", "--mode", choices=("sample", "pixel"), required=True)
    parser.add_argument("-d", "--dataset", choices=list(REGIONS), required=True)
    options = parser.parse_args(arguments)
    folders = ["-i", options.input_dir, "-o", options.output_dir]
    run(["predict", *folders, "--mode", options.mode, "-r", options.dataset, "-m", "fpi"])


if __name__ == "__main__":
    main()
