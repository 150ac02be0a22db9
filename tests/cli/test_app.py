import json
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from mood import __version__
from mood import predict as prediction
from mood.cli import app as cli
from mood.cli import options
from mood.regions import BRAIN
from mood.training.run import train as train_folder
from mood.weights.store import read_folder


def mood(*arguments: object, cwd=None, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mood", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=os.environ | environment)


@pytest.fixture
def weights(tmp_path, rng):
    """Atlas weights: the command line is the same for every method, and these load at once."""
    (tmp_path / "healthy").mkdir()
    for i in range(3):
        data = rng.uniform(0.1, 0.9, (24, 20, 16)).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "healthy" / f"h{i}.nii.gz")
    settings = {"grid_shape": (24, 20, 16), "spacing_mm": (1.0, 1.0, 1.0)}
    return train_folder(tmp_path / "healthy", tmp_path / "weights", "atlas", BRAIN, settings)


@pytest.fixture
def call(monkeypatch, capsys):
    """call('info') runs the command line in this process and returns exit status and printed text."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mood", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out + printed.err

    return call


def test_help_imports_no_network():
    code = "import sys; sys.argv = ['mood', '--help']\nfrom mood.cli.app import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "assert not {'keras', 'tensorflow', 'scipy', 'nibabel'} & set(sys.modules), 'heavy'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "predict" in done.stdout


def predict(weights, target, *more):
    folders = ["-i", weights.parent / "healthy", "-o", target, "-r", "brain"]
    return ["predict", *folders, "-m", "atlas", "--weights", weights, *more]


def test_predicting_prints_a_line_a_scan(call, weights, tmp_path):
    status, text = call(*predict(weights, tmp_path / "out"))
    assert status == 0
    assert "3 of 3 scans scored with atlas" in text.replace("\n", " ")
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 3


@pytest.mark.parametrize(("more", "expected"), [((), 1), (("--challenge",), 0)])
def test_a_failed_scan_decides_the_exit_status(call, weights, tmp_path, more, expected):
    (weights.parent / "healthy" / "bad.nii.gz").write_bytes(b"")
    status, _ = call(*predict(weights, tmp_path / "out", *more))
    assert status == expected
    assert (tmp_path / "out" / "h0.nii.gz").exists()


@pytest.mark.parametrize(
    ("arguments", "expected", "words"),
    [
        (
            ["-i", "missing", "-o", "out", "-r", "brain", "-m", "atlas", "--weights", "WEIGHTS"],
            3,
            "no such input folder",
        ),
        (
            ["-i", "void", "-o", "out", "-r", "brain", "-m", "atlas", "--weights", "WEIGHTS"],
            3,
            "holds no .nii",
        ),
        (["-i", "healthy", "-o", "out", "-r", "leg"], 2, "unknown region 'leg'"),
        (["-i", "healthy", "-o", "out", "-r", "brain", "-m", "magic"], 2, "unknown method 'magic'"),
        (["-i", "healthy", "-o", "out", "-r", "brain", "-m", "atlas"], 3, "no trained weights"),
        (["-i", "healthy", "-o", "out", "-r", "brain", "-m", "mix", "--weights", "void"], 3, "no config.json"),
        (
            ["-i", "healthy", "-o", "out", "-r", "brain", "-m", "mix", "--fast"],
            2,
            "chooses method and precision itself",
        ),
        (["-i", "healthy", "-o", "file/out", "-r", "brain"], 2, "cannot be written"),
        (["-i", "healthy"], 2, "Missing option"),
    ],
)
def test_fault_27_and_28_usage_errors_are_one_sentence_and_a_status(
    call, weights, tmp_path, monkeypatch, arguments, expected, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "void").mkdir()
    (tmp_path / "file").touch()
    status, text = call("predict", *[str(weights) if word == "WEIGHTS" else word for word in arguments])
    assert status == expected
    assert words in " ".join(text.split())
    assert "Traceback" not in text


def test_an_interruption_has_its_own_status(call, weights, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mood.predict.predict_folder", interrupt)
    assert call(*predict(weights, tmp_path / "out"))[0] == 130


def test_from_healthy_scans_to_a_table(call, weights, tmp_path):
    healthy = weights.parent / "healthy"
    assert call("toy", "-o", tmp_path / "data", "-r", "brain", "--from", healthy)[0] == 0
    cases = tmp_path / "data" / "brain" / "toy"
    assert len(list(cases.glob("*.nii.gz"))) == 18
    folders = ["-i", cases, "-o", tmp_path / "out", "-r", "brain", "-m", "atlas", "--weights", weights]
    assert call("predict", *folders)[0] == 0
    labels, results = tmp_path / "data" / "brain" / "toy_label", tmp_path / "results.json"
    status, text = call(
        "evaluate", "-l", labels, "-p", f"atlas={tmp_path / 'out'}", "--json", results, "--resamples", 20
    )
    assert status == 0
    assert "atlas" in text
    assert set(json.loads(results.read_text())) == {"atlas pixel", "atlas sample"}


def test_training_from_the_command_line(call, weights, tmp_path):
    status, text = call(
        *["train", "-i", weights.parent / "healthy", "-o", tmp_path / "w", "-r", "brain", "-m", "atlas"],
        *["--side", 16, "--epochs", 1, "--set", "slice_axis=1", "--note", "Toy."],
    )
    assert status == 0, text
    config = json.loads((tmp_path / "w" / "config.json").read_text())
    assert config["settings"]["grid_shape"] == [16, 16, 16]
    assert config["settings"]["slice_axis"] == 1
    assert call("train", "-i", "x", "-o", "y", "-r", "brain", "--set", "oops")[0] == 2


def test_the_papers_recipe_is_fpi(call, weights, tmp_path):
    arguments = ["train", "-i", weights.parent / "healthy", "-o", tmp_path / "w", "-r", "brain", "--recipe"]
    small = ["--side", "16", "--set", "width=1", "--steps", "1", "--held-out", "0"]
    assert call(*arguments, "paper", *small)[0] == 0
    assert read_folder(tmp_path / "w").method == "fpi"
    for wrong, words in ((["paper", "-m", "mix"], "trains fpi, not mix"), (["salt"], "paper, mix")):
        status, text = call(*arguments, *wrong)
        assert status == 2, text
        assert words in text


def test_info_lists_methods(call):
    status, text = call("info")
    assert status == 0
    assert "fpi" in text


def test_python_m_mood_is_the_same_program(tmp_path):
    done = mood("predict", "-i", "x", "-o", tmp_path / "out", "-r", "leg")
    assert done.returncode == 2
    assert done.stderr.startswith("mood: unknown region")


def test_an_unknown_engine_is_a_usage_error(tmp_path):
    done = mood("predict", "-i", tmp_path, "-o", tmp_path / "out", "-r", "brain", "--engine", "abacus")
    assert done.returncode == 2
    assert "Choose one of: auto, keras, openvino" in done.stderr
    assert "Traceback" not in done.stderr


SENSELESS = [
    ("train", "-i", "x", "-o", "y", "-r", "brain", option, value)
    for option, values in {
        "--epochs": (0, -1, "many", 1.5),
        "--steps": (0, -1),
        "--check-every": (0, -1),
        "--held-out": (-1,),
        "--side": (0, -1, 1, 10**6),
        "--seed": (-1, 2**32, "x"),
        "--recipe": ("papre",),
        "--method": ("mixx",),
        "--task": ("fpy", "", ","),
        "--unlabelled": (__file__,),
        "--start-from": (__file__,),
        "--set": ("width=0", "width=wide", "width=1e30", "batch_size=0", "learning_rate=fast", "learning_rate=1e30",
                  "learning_rate=NaN", "slice_axis=7", "grid_shape=3000,3000,3000", "grid_shape=a,b,c", "grid_shape=1",
                  "spacing_mm=-1,1,1", "members=1000000", "views=rosy", "decay_steps=0", "widht=3", "oops", "=", "="*9),
    }.items()
    for value in values
] + [
    ("train", "-i", "x", "-o", __file__, "-r", "brain"),
    ("train", "-i", "x", "-o", "y", "-r", "brain", "--set", "width=4", "--set", "width=5"),
    ("predict", "-i", "x", "-o", "y", "-r", "brian"),
    ("predict", "-i", "x", "-o", "y", "-r", "brain", "-m", "magic"),
    ("predict", "-i", "x", "-o", "y", "-r", "brain", "--mode", "pixle"),
    ("predict", "-i", "x", "-o", "y", "-r", "brain", "--weights", __file__),
    ("predict", "-i", "x", "-o", __file__, "-r", "brain"),
    ("toy", "-o", "y", "--side", 0),
    ("toy", "-o", "y", "--cases", 0),
    ("toy", "-o", "y", "--seed", -1),
    ("toy", "-o", "y", "--region", "leg"),
    ("evaluate", "-l", "x", "-p", "a", "--resamples", 0),
    ("evaluate", "-l", "x", "-p", "a", "--mode", "voxel"),
    ("evaluate", "-l", "x", "-p", "a=x", "-p", "a=y"),
    ("evaluate", "-l", "x", "-p", "one/out", "-p", "two/out"),
    ("quantise", "-w", "x", "-i", "y", "--scans", 0),
    ("quantise", "-w", __file__, "-i", "y"),
    ("pack", "-i", "x", "-o", "y", "-r", "brain", "--side", 0),
    ("inspect", "-i", "x", "-o", "y.png", "-r", "brain", "--threshold", "nan"),
    ("inspect", "-i", "x", "-o", "y.png", "-r", "brain", "--threshold", 1.5),
]  # fmt: skip


@pytest.mark.parametrize("arguments", SENSELESS, ids=lambda a: " ".join(map(str, (a[0], *a[-2:])))[:50])
def test_fault_27_28_and_30_what_cannot_be_meant_is_a_usage_error(call, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, text = call(*arguments)
    assert status == 2, text
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("predict", "-i", "x", "-o", "y", "-r", "brian"), "brain"),
        (("predict", "-i", "x", "-o", "y", "-r", "BRAIN"), "brain"),
        (("predict", "-i", "x", "-o", "y", "-r", "brain", "-m", "asc-net"), "ascnet"),
        (("predict", "-i", "x", "-o", "y", "-r", "brain", "--mode", "pixels"), "pixel"),
        (("train", "-i", "x", "-o", "y", "-r", "brain", "--recipe", "papre"), "paper"),
        (("train", "-i", "x", "-o", "y", "-r", "brain", "-m", "mix", "--task", "relocaton"), "relocation"),
        (("train", "-i", "x", "-o", "y", "-r", "brain", "-m", "mix", "--set", "learning-rate=1"), "learning_rate"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_right_word(call, arguments, nearest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"did you mean '{nearest}'?" in call(*arguments)[1]


def test_the_version_is_printed(call):
    assert call("--version") == (0, f"mood {__version__}\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mood predict -r ", {"brain", "abdom"}),
        ("mood predict --method a", {"ascnet", "atlas", "autoencoder"}),
        ("mood evaluate --mode p", {"pixel"}),
        ("mood train --task fpi,b", {"fpi,blob"}),
        ("mood train --recipe ", {"paper", "mix"}),
    ],
)
def test_the_shell_completes_choices(line, words):
    environment = {"_MOOD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = mood(**environment)
    assert words <= set(done.stdout.split()), done.stderr


def test_the_modes_of_the_command_line_are_those_of_predict():
    assert set(options.MODES) == set(prediction.MODES)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")  # noqa: PTH110
def test_fault_31_what_cannot_be_printed_ends_no_prediction(weights, tmp_path):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "mood", *map(str, predict(weights, tmp_path / "out"))]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert "could not be written (No space left on device)" in ended.stderr
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [row["status"] for row in record["scans"]] == ["done"] * 3


def test_fault_31_a_closed_output_ends_no_prediction(weights, tmp_path):
    command = [sys.executable, "-m", "mood", *map(str, predict(weights, tmp_path / "out"))]
    line = " ".join(f"'{word}'" for word in command)
    ended = subprocess.run(["sh", "-c", f"{line} >&-"], stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)
    piped = subprocess.run(
        ["bash", "-c", f"{line} --overwrite | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert piped.stdout.strip() == "0"
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [row["status"] for row in record["scans"]] == ["done"] * 3
