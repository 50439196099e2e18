"""The command line: JSON on the last line, one sentence and exit 2 for bad input, light help."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import sparse

from cmn.cli import main

QUICK = ["--embedding-dim", "4", "--epochs", "2", "--pretrain-epochs", "2", "--batch-size", "64"]


@pytest.fixture
def data(blocks, tmp_path):
    path = tmp_path / "blocks.npz"
    sparse.save_npz(path, blocks)
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def last_line(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_train_prints_and_writes_validation_metrics_only(data, tmp_path):
    out = tmp_path / "metrics" / "m.json"
    result = run("train", "--data", data, *QUICK, "--clock", "cpu", "--metrics-out", out)
    metrics = last_line(result)
    assert 0 < metrics["fit_seconds"] <= time.process_time(), "of this process's CPU"
    assert set(metrics) == {"ndcg@10", "hr@10", "epoch", "fit_seconds"}
    assert out.read_text() == result.stdout.splitlines()[-1] + "\n"
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "pretrain epoch 1",
        "pretrain epoch 2",
        "train epoch 1",
        "train epoch 2",
    ]


def test_a_saved_models_validation_metrics_are_those_training_printed(data, tmp_path):
    model = tmp_path / "model"
    trained = last_line(
        run("train", "--data", data, *QUICK, "--model-out", model, "--split-seed", 3)
    )
    again = last_line(run("evaluate", "--data", data, "--model", model))
    assert again["ndcg@10"] == pytest.approx(trained["ndcg@10"])
    test = last_line(run("evaluate", "--data", data, "--model", model, "--split", "test"))
    assert {"hr@5", "ndcg@5", "hr@10", "ndcg@10"} < set(test)
    assert test != again


def test_same_seed_same_metrics_and_another_seed_others(data):
    def metrics(*more):
        out = last_line(run("train", "--data", data, *QUICK, *more))
        return out["ndcg@10"], out["hr@10"]

    assert metrics("--seed", 1) == metrics("--seed", 1) != metrics("--seed", 2)


@pytest.mark.parametrize("baseline", ["popularity", "item-knn"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_baselines_are_measured_on_the_same_split(data, baseline, split):
    metrics = last_line(run("evaluate", "--data", data, "--baseline", baseline, "--split", split))
    assert 0 < metrics["ndcg@10"] < metrics["hr@10"] < 1


def bad(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("user,item\n", "holds 0 interactions"),
        ("user,film\n1,2\n", "user and item are needed"),
        ("user,item,rating\n1,2,nan\n", "NaN"),
        ("user,item,rating\n1,2,-4\n", "below zero"),
        ("user,item\n1,2\n", "no user has 3 interactions"),
    ],
)
def test_bad_data_gets_one_sentence_and_exit_2(tmp_path, text, sentence):
    refused(run("train", "--data", bad(tmp_path, "a.csv", text)), sentence)


def refused(result, sentence):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "none.csv"], "data file 'none.csv' does not exist"),
        (["--data", "netflix"], "data is 'netflix'; movielens-small, movielens-latest"),
        (["--hops", "0"], "hops is 0; at least 1 is allowed"),
        (["--learning-rate", "nan"], "learning_rate is nan; above 0 is allowed"),
        (["--threads", "0"], "threads is 0; at least 1 is allowed"),
        (["--min-rating", "9"], "0 interactions"),
    ],
)
def test_bad_arguments_of_train_get_one_sentence_and_exit_2(data, arguments, sentence):
    refused(run("train", "--data", data, *arguments), sentence)


def test_ids_out_of_range_get_one_sentence_and_exit_2(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, user=[0, 5], item=[0, 1], shape=[2, 2])
    refused(run("train", "--data", path), "user has 1 ids out of range")


def test_bad_arguments_of_evaluate_get_one_sentence_and_exit_2(data, tmp_path):
    model = tmp_path / "model"
    refused(run("evaluate", "--data", data), "exactly one is needed")
    refused(run("evaluate", "--data", data, "--model", model), "is not a saved model")
    last_line(run("train", "--data", data, *QUICK, "--model-out", model))
    refused(
        run("evaluate", "--data", data, "--model", model, "--split-seed", 9),
        "split_seed is 9; the model was trained with 0",
    )
    other = bad(tmp_path, "b.csv", "".join(f"{u},{i}\n" for u in range(4) for i in range(5)))
    refused(run("evaluate", "--data", other, "--model", model), "trained on other interactions")
    (model / "config.json").write_text("{}")
    refused(run("evaluate", "--data", data, "--model", model), "not of format 2")


def test_an_unknown_option_and_a_word_for_a_number_exit_2_without_a_traceback(data):
    for arguments in (["--hop", "1"], ["--hops", "two"]):
        result = run("train", "--data", data, *arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_help_and_baselines_import_no_torch(data):
    program = (
        "import sys; from cmn.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert 'torch' not in sys.modules"
    )
    evaluate = ["evaluate", "--data", data, "--baseline", "popularity"]
    for arguments in (["--help"], ["train", "--help"], evaluate):
        subprocess.run([sys.executable, "-c", program, *arguments], check=True, timeout=60)


def test_python_dash_m_is_the_same_command():
    command = [sys.executable, "-m", "cmn", "train", "--data", "netflix"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
