"""The official average precision of a folder of predictions, with the command line of FPI's `eval_simple.py`.

    python scripts/eval_simple.py -l LABELS -o PREDICTIONS -mode pixel -d brain

LABELS directly contains the labels. `mood evaluate` does the same for several methods at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

from mood.errors import MoodError
from mood.evaluation.folder import evaluate_folder, render_kinds, render_table
from mood.evaluation.label_files import SUFFIXES
from mood.regions import REGIONS


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Official average precision of a folder of predictions.")
    parser.add_argument("-l", "--label_dir", type=Path, required=True, help="folder of the labels")
    parser.add_argument("-o", "--output_dir", type=Path, required=True, help="folder of the predictions")
    parser.add_argument("-m", "-mode", "--mode", choices=sorted(SUFFIXES), required=True)
    parser.add_argument("-d", "--dataset", choices=sorted(REGIONS), help="accepted, makes no difference")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        rng = np.random.default_rng(0)
        evaluation = evaluate_folder(options.label_dir, options.output_dir, options.mode, rng)
    except MoodError as error:
        print(f"eval_simple: {error}", file=sys.stderr)
        return error.exit_code
    tables = {str(options.output_dir): evaluation}
    print(f"average precision: {evaluation.average_precision.value}")
    for table in filter(None, (render_table(tables), render_kinds(tables))):
        Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
