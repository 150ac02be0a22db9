"""Train FPI with the command line of its authors' `train_simple.py`; `mood train` has more options.

python scripts/train_simple.py -i INPUT_FOLDER -o OUTPUT_FOLDER -d brain|abdom
"""

from __future__ import annotations

import argparse

from mood.cli.app import run
from mood.regions import REGIONS


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train FPI on a folder of healthy scans, as published.")
    parser.add_argument("-i", "--input_dir", required=True, help="folder of healthy NAME.nii.gz scans")
    parser.add_argument("-o", "--output_dir", required=True, help="becomes a weights folder")
    parser.add_argument("-d", "--dataset", choices=list(REGIONS), required=True)
    options = parser.parse_args(arguments)
    run(["train", "-i", options.input_dir, "-o", options.output_dir, "-r", options.dataset, "-m", "fpi"])


if __name__ == "__main__":
    main()
