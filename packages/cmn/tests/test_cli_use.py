"""`cmn recommend`, `explain`, `data`, `tune-space` and `bench`, as one would type them."""

import csv
import json
import os
import shlex

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from cmn.cli import main
from cmn.interactions import HeldOut
from cmn.recommender import CMN

QUICK = ["--embedding-dim", "4", "--epochs", "1", "--pretrain-epochs", "1"]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def last_line(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def refused(result, sentence):
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data file whose ids are words and numbers, with timestamps, and a model of it."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [(f"u{u}", i, 10 * u + i) for u in range(12) for i in range(15) if (u + i) % 3]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame.to_csv(folder / "data.csv", index=False)
    model = folder / "model"
    last_line(run("train", "--data", folder / "data.csv", *QUICK, "--model-out", model))
    return folder / "data.csv", model


def test_recommendations_as_a_table_and_as_json(trained):
    _, model = trained
    result = run("recommend", "--model", model, "--user", "u3", "--user", "u0", "-n", 2)
    rows = last_line(result)
    ids, scores = CMN.load(model).recommend(["u3", "u0"], n=2)
    assert [row["user"] for row in rows] == ["u3", "u3", "u0", "u0"]
    assert [row["item"] for row in rows] == ids.ravel().tolist()
    assert [row["score"] for row in rows] == pytest.approx(scores.ravel().tolist())
    table = [line.split() for line in result.stdout.splitlines()[:-1]]
    assert table[0] == ["user", "item", "rank", "score"]
    assert table[1][:3] == ["u3", str(ids[0, 0]), "1"]
    only = run("recommend", "--model", model, "--user", "u3", "--json")
    assert len(only.stdout.splitlines()) == 1


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_recommendations_for_everyone_in_a_file(trained, tmp_path, ending):
    _, model = trained
    items, out = tmp_path / "items.txt", tmp_path / "out" / f"best.{ending}"
    items.write_text("1\n\n7\n3\n")
    arguments = ["--all-users", "-n", 2, "--items-from", items, "--with-seen", "--out", out]
    facts = last_line(run("recommend", "--model", model, *arguments))
    assert facts == {"out": str(out), "users": 12, "rows": 24}
    frame = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert list(frame.columns) == ["user", "item", "rank", "score"]
    assert set(frame["item"]) <= {1, 3, 7}
    assert frame["user"].nunique() == 12


def test_users_from_a_file(trained, tmp_path):
    _, model = trained
    (tmp_path / "users.txt").write_text("u4\nu11\n")
    rows = last_line(run("recommend", "--model", model, "--users-from", tmp_path / "users.txt"))
    assert {row["user"] for row in rows} == {"u4", "u11"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--user", "u77"], "users has 1 unknown ids (the first is 'u77'); 12 are known"),
        ([], "users are given in 0 ways"),
        (["--user", "u1", "--all-users"], "users are given in 2 ways"),
        (["--user", "u1", "-n", 16], "n is 16; 1 to 15, the number of candidates"),
        (["--user", "u1", "--out", "a.xlsx"], "an ending of .parquet or .csv"),
        (["--users-from", "none.txt"], "No such file"),
    ],
)
def test_bad_arguments_of_recommend(trained, arguments, sentence):
    refused(run("recommend", "--model", trained[1], *arguments), sentence)


def test_a_list_of_users_that_is_no_text_is_named(trained, tmp_path):
    (tmp_path / "users.txt").write_bytes(b"caf\xe9\n")
    arguments = ["--users-from", str(tmp_path / "users.txt")]
    refused(run("recommend", "--model", trained[1], *arguments), "users.txt' is not UTF-8 text")


@pytest.mark.parametrize("plot", ["a.xyz", "absent/a.png"])
def test_a_picture_that_could_not_be_written_is_refused_before_the_work(trained, plot):
    sentence = "a file in an existing folder is allowed, ending in"
    refused(run("compare", "--data", trained[0], "--plot", plot), sentence)
    arguments = ["--model", trained[1], "--user", "u1", "--plot", plot]
    refused(run("explain", *arguments), sentence)


def test_an_item_that_is_no_number_is_named(trained):
    refused(
        run("explain", "--model", trained[1], "--user", "u1", "--item", "film"),
        "item is film; the model's item are of type int64",
    )


def test_an_explanation_in_words_json_and_a_picture(trained, tmp_path):
    _, model = trained
    picture = tmp_path / "heat.png"
    arguments = ["--user", "u2", "--item", "4", "--top", 3, "--plot", picture]
    result = run("explain", "--model", model, *arguments)
    facts = last_line(result)
    assert (facts["user"], facts["item"], len(facts["neighbours"])) == ("u2", 4, 3)
    assert result.stdout.startswith("4 for u2: score ")
    assert picture.read_bytes().startswith(b"\x89PNG")
    best = last_line(run("explain", "--model", model, "--user", "u2"))
    assert best["item"] == CMN.load(model).recommend(["u2"], n=1)[0].item()


def test_a_user_without_unseen_items_is_told_to_name_one(tmp_path):
    rows = [(u, i) for u in range(8) for i in range(6) if u == 0 or (u + i) % 3]
    pd.DataFrame(rows, columns=["user", "item"]).to_csv(tmp_path / "a.csv", index=False)
    model = CMN(embedding_dim=4, epochs=1, pretrain_epochs=1)
    model.fit(tmp_path / "a.csv", HeldOut(np.array([1]), np.array([1]))).save(tmp_path / "model")
    done = run("explain", "--model", tmp_path / "model", "--user", 0)
    refused(done, "user 0 has every item; name the item to explain")


def test_a_model_trained_by_time_is_measured_on_the_same_split(trained, tmp_path):
    data, _ = trained
    model = tmp_path / "model"
    metrics = last_line(
        run("train", "--data", data, *QUICK, "--split-by", "latest", "--model-out", model)
    )
    again = last_line(run("evaluate", "--data", data, "--model", model))
    assert again["ndcg@10"] == pytest.approx(metrics["ndcg@10"])
    assert again["intervals"]["ndcg@10"][0] <= again["ndcg@10"] <= again["intervals"]["ndcg@10"][1]
    refused(
        run("evaluate", "--data", data, "--model", model, "--split-by", "random"),
        "split_by is random; the model was trained with latest",
    )


def test_sampled_rivals_can_be_asked_for(trained):
    data, model = trained
    both = last_line(run("evaluate", "--data", data, "--model", model, "--rivals", 3))
    assert {"ndcg@10", "raw_ndcg@10", "masked_ndcg@10"} < set(both)
    few = last_line(
        run("evaluate", "--data", data, "--model", model, "--rivals", 3, "--sampled-only")
    )
    assert "ndcg@10" not in few
    assert few["raw_ndcg@10"] == pytest.approx(both["raw_ndcg@10"])
    refused(
        run("evaluate", "--data", data, "--model", model, "--rivals", 14),
        "rivals is 14; a user has",
    )


def test_sets_are_listed_and_audited(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("CMN_DATA", str(tmp_path))
    rows = last_line(run("data", "list"))
    assert {"citeulike-a", "pinterest-20", "epinions", "movielens-1m"} < set(rows)
    assert not rows["movielens-100k"]["here"]
    counts = last_line(run("data", "audit", trained[0]))
    assert (counts["users"], counts["items"]) == (12, 15)
    refused(run("data", "get", "netflix"), "data is 'netflix'; movielens-small")


@pytest.mark.parametrize("protocol", [(), ("--protocol", "best")])
def test_the_experiment_file_is_yaml_whose_command_is_cmn_train(trained, monkeypatch, protocol):
    data, _ = trained
    result = run("tune-space", "--data", data, "--epochs", 1, "--budget", 8, *protocol)
    assert result.exit_code == 0
    spec = yaml.safe_load(result.stdout)
    assert (spec["budget"], spec["parallel"]) == (8, 2)
    assert spec["metrics"][0] == {"name": "ndcg@10", "objective": "maximize"}
    values = {}
    for parameter in spec["parameters"]:
        low, high = parameter["bounds"]["min"], parameter["bounds"]["max"]
        assert low <= parameter["default"] <= high
        values[parameter["name"]] = low
    metrics = data.parent / "metrics.json"
    monkeypatch.setitem(os.environ, "ORCHESTRATE_METRICS", str(metrics))
    monkeypatch.setitem(os.environ, "ORCHESTRATE_OUTPUT", str(data.parent))
    words = shlex.split(os.path.expandvars(spec["command"].format(**values)))
    last_line(run(*words[1:]))
    assert {metric["name"] for metric in spec["metrics"]} == set(json.loads(metrics.read_text()))


def test_an_experiment_of_unknown_settings_is_refused(trained):
    result = run("tune-space", "--data", trained[0], "--only", "hops,seed")
    refused(result, "'seed' cannot be tuned; embedding_dim, hops")
    result = run("tune-space", "--data", trained[0], "--only", "hops", "--protocol", "best")
    refused(result, "'hops' cannot be tuned; embedding_dim, learning_rate, temperature")


@pytest.mark.parametrize("protocol", ["default", "best"])
def test_costs_are_measured_on_the_users_data(trained, protocol):
    arguments = ["--threads", 1, "--embedding-dim", 4, "--protocol", protocol]
    costs = last_line(run("bench", "--data", trained[0], *arguments))
    assert set(costs) == {
        "triples_per_cpu_second",
        "cpu_ms_per_user",
        "cpu_seconds_to_evaluate",
    }
    assert min(costs.values()) > 0


def test_the_table_of_a_csv_survives_commas_in_ids(tmp_path):
    rows = [(f"a,{u}", f'b"{i}', u + i) for u in range(6) for i in range(6) if u != i]
    with (tmp_path / "d.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item", "time"), *rows])
    model, out = tmp_path / "model", tmp_path / "out.csv"
    last_line(run("train", "--data", tmp_path / "d.csv", *QUICK, "--model-out", model))
    last_line(run("recommend", "--model", model, "--user", "a,3", "-n", 1, "--out", out))
    assert pd.read_csv(out)["user"].tolist() == ["a,3"]
