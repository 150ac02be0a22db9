"""The fuzzing script for a few seconds; tests/inputs/test_any_bytes.py draws files of its own."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "fuzz.py"


def test_damaged_files_end_in_a_result_or_a_sentence(tmp_path):
    command = [sys.executable, str(SCRIPT), "0.1", "--keep", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPT.parents[1])
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = re.search(r"(\d+) files .* (\d+) results, (\d+) sentences, 0 tracebacks, 0 processes", ended.stdout)
    assert found
    files, results, sentences = map(int, found.groups())
    assert files == results + sentences
    assert results > 0
    assert sentences > 0
