"""The repository's examples in real pods: a gang as it is written, and cmn in small."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster import Kube
from rootfs import make_rootfs

REPOSITORY = Path(__file__).parents[4]
EXAMPLES = REPOSITORY / "examples"
IMAGE = "localhost/examples:1"
FOLDER = os.environ.get("CMN_DATA", "")
DATA = {"citeulike-a": FOLDER, "mnist": os.environ.get("GOSSIPGRAD_DATA", FOLDER)}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def image(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What examples/Dockerfile makes, without bocl."""
    folders = {name: Path(folder) / name for name, folder in DATA.items()}
    missing = [name for name, folder in folders.items() if not folder.is_dir()]
    if missing:
        pytest.skip(f"$CMN_DATA is no folder that holds {', '.join(missing)}")
    made = tmp_path_factory.mktemp("image")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    programs = [str(REPOSITORY / "packages" / name) for name in ("cmn", "gossipgrad")]
    subprocess.run([*build, "--wheel-dir", str(made / "wheels"), *programs], check=True)
    (cmn,), (gossipgrad,) = (made.glob(f"wheels/{name}-*.whl") for name in ("cmn", "gossipgrad"))
    wanted = (
        *("--constraint", str(REPOSITORY / "constraints.txt")),
        f"cmn @ {cmn.as_uri()}",  # by their paths: an index has another package of this name
        f"gossipgrad[mpich] @ {gossipgrad.as_uri()}",
    )
    root = make_rootfs(made / "rootfs", wanted)
    for part in ("include", "test"):  # an eighth of the image, for compilers and torch's own tests
        for folder in root.glob(f"opt/python/lib/python*/site-packages/torch/{part}"):
            shutil.rmtree(folder)
    for name, folder in folders.items():
        shutil.copytree(folder, root / "data" / name)
    target = root / "examples/gossipgrad"
    target.mkdir(parents=True)
    shutil.copy(EXAMPLES / "gossipgrad/train.py", target)
    kube.do("image", str(root), IMAGE, '["python3"]')
    shutil.rmtree(root)
    return IMAGE


def _run(name: str, kube: Kube, folder: Path, changed: str) -> Any:
    file = folder / "small.yml"
    file.write_text(f"extends: {EXAMPLES / name / 'kubernetes.yml'}\n{changed}")
    done = subprocess.run(
        [sys.executable, "-m", "sigopt_orchestrate", "run", str(file), "--json"],
        env=os.environ
        | {"ORCHESTRATE_HOME": str(folder / "home"), "KUBECONFIG": str(kube.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_gossipgrad_is_tuned_as_a_gang_of_two_pods_of_two_ranks(
    kube: Kube, image: str, tmp_path: Path
) -> None:
    summary = _run("gossipgrad", kube, tmp_path, f"image: {image}\nbudget: 1\n")
    (best,) = summary["best"]
    assert best["source"] == "default"
    assert best["values"]["accuracy"] > 0.8
    assert best["values"]["step_us"] > 0
    log = (Path(best["output"]).parent / "log").read_text()
    assert '"ranks": 4' in log


def test_cmn_is_tuned_in_a_pod(kube: Kube, image: str, tmp_path: Path) -> None:
    small = "--data citeulike-a --epochs 1 --pretrain-epochs 1 --validation-users 200 --clock cpu"
    command = (
        f'cmn train {small} --embedding-dim {{embedding_dim}} --metrics-out "$ORCHESTRATE_METRICS"'
    )
    parameters = "[{name: embedding_dim, type: int, bounds: {min: 8, max: 16}, default: 8}]"
    changed = (
        f"image: {image}\ncommand: {json.dumps(command)}\nparameters: {parameters}\nbudget: 1\n"
    )
    summary = _run("cmn", kube, tmp_path, changed)
    assert summary["best"][0]["values"]["ndcg@10"] > 0
