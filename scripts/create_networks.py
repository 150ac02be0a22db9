"""ASC-Net, step 1: create the networks. usage: create_networks.py FOLDER HEIGHT WIDTH [NAME=VALUE ...] [seed=N]"""

import json
import sys
from pathlib import Path

from mood.errors import MoodError
from mood.methods.ascnet.workflow import create_networks


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    folder, height, width, *pairs = sys.argv[1:]
    settings = {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in pairs)}
    create_networks(Path(folder), (int(height), int(width)), settings, settings.pop("seed", 0))
    print(f"networks written to {folder}")


if __name__ == "__main__":
    try:
        main()
    except MoodError as error:
        print(f"create_networks: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
