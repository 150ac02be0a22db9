"""What `import mood` gives: fast, complete, quiet."""

import doctest
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import mood

TOP = Path(__file__).parents[1]


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=kept | environment)


def test_importing_it_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import mood; dir(mood); mood.__version__, mood.__all__\n"
    code += "print(*(name for name in set(sys.modules) - before if name.split('.')[0] not in sys.stdlib_module_names))"
    assert set(python(code).stdout.split()) == {"mood", "mood.installation"}


def test_everything_public_is_there_and_listed():
    for name in mood.__all__:
        assert name in dir(mood)
        assert getattr(mood, name) is not None
    assert mood.REGIONS["brain"].name == "brain"
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = mood.magic


def test_type_checkers_are_told_the_same_names():
    listed = Path(mood.__file__).read_text(encoding="utf-8").split("if TYPE_CHECKING:")[1].split("__version__")[0]
    assert all(name in listed for name in mood.__all__)
    assert Path(mood.__file__).with_name("py.typed").is_file()


def test_the_version_is_that_of_the_distribution():
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "setuptools_scm" in project["tool"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?(\+[\w.]+)?", mood.__version__)


IN_A_SHELL = """
import os, sys
before = dict(os.environ)
import mood
result = mood.score(sys.argv[1], region="brain", method="mix")
print(result.sample_score)
result.save(sys.argv[2])
new = {name for name in os.environ if os.environ[name] != before.get(name)}
assert not [name for name in new if name.startswith("MOOD")], new
assert new & {"KERAS_BACKEND"}
"""


def test_one_call_in_a_shell_is_quiet_and_does_what_predict_does(write, scan, tmp_path):
    path = write(scan, "sub-01.nii.gz", np.diag([-6.0, 6.0, 7.0, 1.0]))
    done = python(IN_A_SHELL, path, tmp_path / "maps")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()  # of a toy nothing else is said
    assert "not fit to score" in line
    command = [sys.executable, "-m", "mood", "predict", "-i", path.parent, "-o", tmp_path / "out", "-r", "brain"]
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    subprocess.run([*command, "-m", "mix"], check=True, capture_output=True, env=environment)
    assert float(done.stdout) == pytest.approx(float((tmp_path / "out" / "sub-01.nii.gz.txt").read_text()), abs=1e-6)
    maps = [nib.load(tmp_path / folder / "sub-01.nii.gz").get_fdata() for folder in ("maps", "out")]
    np.testing.assert_array_equal(*maps)


def test_a_backend_that_is_not_installed_is_a_sentence(write, scan):
    code = "import sys, mood\ntry: mood.score(sys.argv[1])\nexcept Exception as error: print(error)"
    done = python(code, write(scan), KERAS_BACKEND="abacus")
    assert done.stdout.startswith("KERAS_BACKEND names no backend")


@pytest.mark.usefixtures("eager")
@pytest.mark.filterwarnings("ignore:The structure of")
def test_the_examples_in_docstrings_do_what_they_say(quick_brain):
    from mood import detector, engines

    for module in (detector, engines):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0
