"""Downloads from a real HTTP server on loopback: checked, recorded, offline, never half a file."""

import bz2
import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cmn import datasets
from cmn.datasets import Source, get_dataset, load_dataset
from cmn.downloads import SUMS, Remote, data_folder, download
from cmn.errors import DataError

RATINGS = b"1::10::5::978300760\n1::20::2::978302109\n2::10::4::978301968\n2::30::5::978300275\n"


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("ml-x/README", b"not asked for")
    return buffer.getvalue()


@pytest.fixture
def server():
    """Serves `server.files`; those in `server.cut` end after half of what was promised."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path[1:]
            server.asked.append(name)
            if name not in server.files:
                self.send_error(404)
                return
            content = server.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if name in server.cut else content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.cut, server.asked = {}, set(), []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ignore(*_):
    pass


def test_a_set_is_had_once_and_then_read_offline(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CMN_DATA", str(tmp_path))
    server.files["ml-x.zip"] = content = zipped("ml-x/ratings.dat", RATINGS)
    checksum = f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"
    remote = Remote(f"{server.url}/ml-x.zip", checksum, "ml-x/ratings.dat")
    monkeypatch.setitem(datasets.SOURCES, "ml-x", Source("", "", (remote,), 3.5))
    with pytest.raises(DataError, match="get it with `cmn data get ml-x`, or set CMN_DATA"):
        load_dataset("ml-x")
    heard = []
    assert get_dataset("ml-x", lambda *report: heard.append(report)) == tmp_path / "ml-x"
    assert heard[-1] == ("ml-x/ratings.dat", len(content), len(content))
    get_dataset("ml-x", ignore)
    assert server.asked == ["ml-x.zip"]
    data = load_dataset("ml-x").interactions
    assert data.user_ids.tolist() == [1, 2]
    assert data.item_ids.tolist() == [10, 30]  # the rating of 2 is no interaction
    assert load_dataset("ml-x", min_rating=1).interactions.matrix.nnz == 4


def test_a_truncated_download_is_one_sentence_and_leaves_nothing(server, tmp_path):
    server.files["a.txt"], server.cut = b"1 10 5\n" * 1000, {"a.txt"}
    remote = Remote(f"{server.url}/a.txt")
    # The latter where urllib3 2 sees it first.
    cut = "3500 of 7000 bytes|3500 bytes read, 3500 more"
    with pytest.raises(DataError, match=rf"a\.txt cannot be downloaded: .*({cut})") as got:
        download(remote, tmp_path, ignore)
    assert "\n" not in str(got.value)
    assert list(tmp_path.iterdir()) == []
    server.cut = set()
    assert download(remote, tmp_path, ignore).read_bytes() == server.files["a.txt"]


def test_a_file_that_is_not_the_known_one_is_refused(server, tmp_path):
    server.files["a.txt"] = b"other"
    remote = Remote(f"{server.url}/a.txt", f"sha256:{hashlib.sha256(b'known').hexdigest()}")
    with pytest.raises(DataError, match="is not the file it should be: SHA256 hash"):
        download(remote, tmp_path, ignore)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_checksum_is_recorded_and_held_to(server, tmp_path):
    server.files["r.txt.bz2"] = content = bz2.compress(b"1 10 5\n")
    remote = Remote(f"{server.url}/r.txt.bz2", member="r.txt")
    path = download(remote, tmp_path, ignore)
    assert path.read_bytes() == b"1 10 5\n"
    digest = hashlib.sha256(content).hexdigest()
    assert (tmp_path / SUMS).read_text() == f"{digest}  r.txt.bz2\n"
    path.unlink()
    (tmp_path / "r.txt.bz2").unlink()
    server.files["r.txt.bz2"] = bz2.compress(b"2 20 1\n")
    with pytest.raises(DataError, match="is not the file it should be"):
        download(remote, tmp_path, ignore)


def test_missing_files_and_unreachable_servers_are_named(server, tmp_path):
    with pytest.raises(DataError, match=r"none\.txt cannot be downloaded: 404"):
        download(Remote(f"{server.url}/none.txt"), tmp_path, ignore)
    server.files["b.zip"] = zipped("other", b"")
    with pytest.raises(DataError, match=r"b\.zip holds no wanted\.csv"):
        download(Remote(f"{server.url}/b.zip", member="wanted.csv"), tmp_path, ignore)
    with pytest.raises(DataError, match=r"cannot be downloaded"):
        download(Remote("http://127.0.0.1:9/a.txt"), tmp_path, ignore)
    with pytest.raises(DataError, match="data is 'netflix'; movielens-small"):
        get_dataset("netflix", ignore)


def test_data_lie_in_the_users_cache_if_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv("CMN_DATA", raising=False)
    assert data_folder().name == "cmn"
