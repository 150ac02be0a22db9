"""Bills of materials of what the locks bring into the images, with the licences that are known here.

python scripts/lock_bill.py VERSION FOLDER    writes FOLDER/mood-ood-VERSION-VARIANT.cdx.json
"""

from __future__ import annotations

import hashlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from licences import IMAGES, LOCKS, licences, locked

from mood.installation import DISTRIBUTION
from mood.submission.bill import bill_of_materials
from mood.submission.contents import PYTHON, Package


def main() -> None:
    version, folder = sys.argv[1], Path(sys.argv[2])
    known = licences()
    made = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    for variant in IMAGES:
        digest = hashlib.sha256((LOCKS / f"requirements-{variant}.lock").read_bytes()).hexdigest()
        packages = [Package(PYTHON, name, release, known.get(name, "")) for name, release in locked(variant).items()]
        bill = bill_of_materials(packages, f"{DISTRIBUTION}-{variant}", version, f"sha256:{digest}", made)
        (folder / f"{DISTRIBUTION}-{version}-{variant}.cdx.json").write_text(bill + "\n")


if __name__ == "__main__":
    main()
