import pytest

from mood.engines import devices
from mood.errors import NoInputError, UsageError


@pytest.fixture
def file(tmp_path):
    def file(text):
        (tmp_path / "hosts").write_text(text)
        return tmp_path / "hosts"

    return file


def test_hosts_are_read_with_their_ports(file):
    text = "# the cluster\nnode1\nnode2:2222  # the second\n\n10.0.0.3\n"
    assert devices.read_hosts(file(text)) == ["node1:17707", "node2:2222", "10.0.0.3:17707"]


@pytest.mark.parametrize("text", ["node 1", "node:port", "node:1:x y", "a\na"])
def test_what_is_no_host_or_there_twice_is_a_sentence(file, text):
    with pytest.raises(UsageError):
        devices.read_hosts(file(text))


def test_no_file_and_no_host_are_status_3(tmp_path, file):
    for path in (tmp_path / "none", file("\n# nobody\n")):
        with pytest.raises(NoInputError):
            devices.read_hosts(path)


@pytest.mark.parametrize(
    ("variables", "wanted"), [({}, 1), ({"MOOD_HOST": "1"}, 0), ({"SLURM_PROCID": "2"}, 2), ({"SLURM_PROCID": "9"}, 1)]
)
def test_which_host_this_is(monkeypatch, variables, wanted):
    for name in ("MOOD_HOST", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("socket.gethostname", lambda: "node2.cluster")
    monkeypatch.setattr("socket.getfqdn", lambda: "node2.cluster")
    assert devices.own_index(["node1:1", "node2:1", "node3:1"]) == wanted


def test_a_host_that_is_not_told_is_a_sentence(monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    monkeypatch.setenv("MOOD_HOST", "3")
    with pytest.raises(UsageError, match="from 1 to 2"):
        devices.own_index(["a:1", "b:1"])
    monkeypatch.delenv("MOOD_HOST")
    with pytest.raises(UsageError, match="Set MOOD_HOST"):
        devices.own_index(["127.0.0.1:1", "127.0.0.1:2"])


def test_more_devices_than_there_are_is_a_sentence():
    with pytest.raises(UsageError, match="1000 devices are asked for"), devices.shared(1000):
        pass
    assert devices.count() == 1


def test_one_device_changes_nothing():
    with devices.shared(1):
        assert (devices.count(), devices.leaves_files(), devices.total(3)) == (1, True, 3)
