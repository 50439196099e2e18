"""`cmn compare`: every baseline and given models, one split, a table and one JSON line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from cmn.baselines import BASELINES
from cmn.cli import main
from cmn.compare import table

QUICK = ["--embedding-dim", "4", "--epochs", "1", "--pretrain-epochs", "1"]


@pytest.fixture
def data(blocks, tmp_path):
    path = tmp_path / "blocks.csv"
    rows = (f"u{user},i{item}\n" for user, item in zip(*blocks.nonzero(), strict=True))
    path.write_text("user,item\n" + "".join(rows))
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def last_line(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def refused(result, sentence):
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("split", ["validation", "test"])
def test_all_baselines_in_one_table_and_one_line(data, tmp_path, split):
    out = tmp_path / "out" / "metrics.json"
    only = ",".join(BASELINES)
    result = run("compare", "--data", data, "--split", split, "--metrics-out", out, "--only", only)
    metrics = last_line(result)
    fitting = [name for name in BASELINES if name != "pure-svd"]  # 250 factors, 45 items
    assert list(metrics) == fitting
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["model", "HR@10", "NDCG@10", "coverage", "fit", "s", "p"]
    assert [line.split()[0] for line in lines[1:-2]] == fitting
    assert lines[-2].startswith("pure-svd is left out: factors is 250; below 45 is allowed")
    assert out.read_text() == lines[-1] + "\n"
    assert result.stderr.splitlines() == [f"measuring {name}" for name in BASELINES]
    for name, values in metrics.items():
        alone = last_line(run("evaluate", "--data", data, "--baseline", name, "--split", split))
        assert {key: values.get(key, value) for key, value in alone.items()} == alone
        assert values["fit_seconds"] > 0
        assert values["against_best"]["difference"] <= 0 < values["against_best"]["p_value"] <= 1
    best = max(metrics, key=lambda name: metrics[name]["ndcg@10"])
    assert {values["against_best"]["best"] for values in metrics.values()} == {best}


def test_models_stand_beside_the_baselines_on_the_split_they_were_trained_on(data, tmp_path):
    model, other = tmp_path / "model", tmp_path / "other"
    for folder, seed in ((model, 3), (other, 4)):
        trained = run("train", "--data", data, *QUICK, "--split-seed", seed, "--model-out", folder)
        last_line(trained)
    metrics = last_line(run("compare", "--data", data, "--model", model, "--only", "ease, rp3beta"))
    assert list(metrics) == ["ease", "rp3beta", str(model)]
    alone = last_line(run("evaluate", "--data", data, "--model", model))
    assert metrics[str(model)]["ndcg@10"] == alone["ndcg@10"]
    alone = run("evaluate", "--data", data, "--baseline", "ease", "--split-seed", 3)
    assert metrics["ease"]["ndcg@10"] == last_line(alone)["ndcg@10"]
    refused(
        run("compare", "--data", data, "--model", model, "--model", other),
        "split_seed is 3; the model was trained with 4",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "slim"], "baseline is 'slim'; popularity, item-knn, user-knn"),
        (["--only", "pure-svd"], "factors is 250; below 45 is allowed"),
        (["--model", "nowhere"], "is not a saved model"),
    ],
)
def test_bad_arguments_get_one_sentence_and_exit_2(data, arguments, sentence):
    refused(run("compare", "--data", data, *arguments), sentence)


def test_the_picture_of_a_comparison(data, tmp_path):
    picture = tmp_path / "models.png"
    last_line(run("compare", "--data", data, "--only", "ease,popularity", "--plot", picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_model_folder_named_like_a_baseline_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    last_line(run("train", "--data", data, *QUICK, "--model-out", "ease"))
    refused(run("compare", "--data", data, "--model", "ease"), "model is 'ease', a baseline's name")
    folder = tmp_path / "ease"
    result = run("compare", "--data", data, "--only", "ease", "--model", folder)
    assert list(last_line(result)) == ["ease", str(folder)]


def test_the_table_shows_published_rivals_where_there_are_any():
    values = {
        f"{group}{name}@10": value
        for group in ("", "raw_", "masked_")
        for name, value in (("hr", 0.25), ("ndcg", np.float64(0.125)))
    }
    values["against_best"] = {"best": "b", "p_value": 0.0312}
    lines = table({"a-long-name": {**values, "fit_seconds": 1.25}, "b": values}).splitlines()
    raw, ends = "  raw HR@10  raw NDCG@10", "  masked HR@10  masked NDCG@10  fit s        p"
    assert lines[0] == f"model         HR@10  NDCG@10{raw}{ends}"
    cells = ["0.2500", "0.1250"] * 3
    assert [line.split() for line in lines[1:]] == [
        ["a-long-name", *cells, "1.2", "0.03"],
        ["b", *cells, "-", "best"],
    ]
    assert {len(line) for line in lines} == {len(lines[0])}


def test_no_torch_for_baselines(data):
    program = (
        "import sys; from cmn.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert 'torch' not in sys.modules"
    )
    others = ",".join(name for name in BASELINES if name not in {"gmf", "pure-svd"})
    command = [sys.executable, "-c", program, "compare", "--data", data, "--only", others]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
