"""`make demo` in small: its driver on experiments of a second, killed in between."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

DEMO = Path(__file__).parents[1] / "examples" / "demo"

EXPERIMENT = """
name: {name}
command: [{python}, trial.py, "{{x}}"]
parameters: [{{name: x, type: int, bounds: {{min: 1, max: 9}}, default: 2}}]
metrics: [{{name: accuracy}}, {{name: size, objective: minimize}}]
budget: 3
"""

# The second trial of experiment 2 says that it is there, and waits for its end; not when run again.
TRIAL = """
import json, os, signal, sys
from pathlib import Path

x, met = int(sys.argv[1]), Path("met")
here = os.environ["ORCHESTRATE_EXPERIMENT"], os.environ["ORCHESTRATE_TRIAL"]
if here == ("2", "2") and not met.exists():
    met.touch()
    Path("here").write_text("x")
    signal.pause()
Path(os.environ["ORCHESTRATE_OUTPUT"], "test.json").write_text(json.dumps({"accuracy": x / 20}))
line = json.dumps({"accuracy": x / 10, "size": x}) + "\\n"
Path(os.environ["ORCHESTRATE_METRICS"]).write_text(line)
"""

DRIVER = f"""
import sys
from pathlib import Path

sys.path.insert(0, {str(DEMO)!r})
import demo

here, read = Path(__file__).parent, "cat {{output}}/test.json"
guess = "cat {{split}}.json"
sys.argv[1:] = ["--home", str(here / "home"), "--keep"]
one = demo.Subject(here / "one.yml", read, {{"guessing": guess}})
demo.main([one, demo.Subject(here / "two.yml", read)])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)  # a dozen CPU seconds; ends by itself also where others take the cores
def test_a_killed_demo_goes_on_and_ends_with_one_page(tmp_path: Path) -> None:
    """What had ended before SIGKILL stands, the rest is run, and nothing is left behind."""
    for name in ("one", "two"):
        text = EXPERIMENT.format(name=f"experiment {name}", python=sys.executable)
        (tmp_path / f"{name}.yml").write_text(text)
    (tmp_path / "trial.py").write_text(TRIAL)
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "validation.json").write_text('{"accuracy": 0.0625}')
    (tmp_path / "test.json").write_text('{"accuracy": 0.03125}')
    os.mkfifo(tmp_path / "here")

    with start(tmp_path) as first:
        address, token = signing_in(first)
        (tmp_path / "here").read_text()  # the second experiment's second trial runs
        first.kill()
        first.communicate()  # ends when all those have that write there
    wait_for_silence(address)

    with start(tmp_path) as second:
        address, again = signing_in(second)
        said = read_until(second, "the dashboard stays until Ctrl-C")
        assert again == token
        shown = fetch(f"{address}/ui/experiments", token)
        os.killpg(second.pid, signal.SIGINT)
        second.communicate()
        assert second.returncode == 0
    wait_for_silence(address)

    assert "experiment 1: " not in said, "it had ended"
    assert "experiment 2: experiment two" in said
    page = (tmp_path / "home" / "demo.html").read_text(encoding="utf-8")
    for name in ("experiment one", "experiment two"):
        assert name in json.dumps(shown)
        assert f"<h1>{name}</h1>" in page
    for number in ("0.0625", "0.03125"):  # what is simpler, on both splits
        assert number in said
        assert number in page
    assert "3 / 3" in page
    assert re.search(r"accuracy, test +[\d.]+ +0.1 ", said), "the defaults, x = 2"


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the demo in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [sys.executable, folder / "driver.py"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until(demo: subprocess.Popen[str], words: str) -> str:
    """Return what the demo prints up to these words."""
    assert demo.stdout is not None
    said = ""
    while words not in said:
        line = demo.stdout.readline()
        assert line, said
        said += line
    return said


def signing_in(demo: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the dashboard's address and the token."""
    said = read_until(demo, "sign in with")
    address, token = re.findall(r"(?:dashboard:|sign in with) (\S+)", said)
    return address, token


def fetch(address: str, token: str | None = None) -> Any:
    """Return the JSON that the server answers with."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urlopen(Request(address, headers=headers), timeout=10) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


def wait_for_silence(address: str) -> None:
    """Return once no server answers there."""
    try:
        while True:
            fetch(f"{address}/health")
    except (URLError, OSError):
        return
