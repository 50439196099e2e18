"""The learner end to end on small tasks: forgets nothing, resumes, refuses bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_tasks import made_samples
from torch.utils.data import TensorDataset

from bocl import BOCL, Growth, Stream, certificate, checkpoint, files
from bocl.errors import (
    CertificateError,
    CheckpointError,
    DataError,
    NotFittedError,
    SettingsError,
    UnknownTaskError,
)
from bocl.search.rivals import FixedGrowth
from bocl.search.trials import best_observed
from bocl.training import Schedule

SMALL = {
    "trunk": "mlp",
    "base": (8, 6),
    "epochs": 5,
    "batch": 16,
    "rate": 0.02,
    "routing": 20,
    "trials": 4,
    "search": "random",
}


def small(folder=None, **changes):
    return BOCL(folder, **(SMALL | changes))


def tasks(count=3, shape=(12,)):
    return [made_samples(160, shape, seed=seed) for seed in range(count)]


def all_tensors(learner):
    return [
        {name: tensor.clone() for name, tensor in block.tensors().items()}
        for block in learner.network.blocks
    ]


def same(left, right):
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("gate_kind", ["both", "input", "none"])
def test_learning_more_changes_no_earlier_logit(gate_kind):
    learner, seen = small(gates=gate_kind, epochs=8), []
    for samples in tasks():
        learner.fit_task(samples)
        seen.append((samples.inputs, learner.logits(samples.inputs, len(seen))))
        for task, (inputs, logits) in enumerate(seen):
            assert torch.equal(learner.logits(inputs, task), logits)
    for task, samples in enumerate(tasks()):
        assert learner.accuracy(samples, task) > 0.9


@pytest.mark.parametrize(("trunk", "shape"), [("lenet", (1, 16, 16)), ("resnet", (3, 16, 16))])
def test_convolutional_trunks_learn_and_keep(trunk, shape):
    learner = small(
        trunk=trunk,
        base=(3, 4, 6),
        searcher=FixedGrowth(Growth((2, 3, 5))),
        flips=trunk == "resnet",
        epochs=12,
        rate=0.01,
    )
    first, second = tasks(2, shape)
    learner.fit_task(first)
    before = learner.logits(first.inputs, 0)
    learner.fit_task(second)
    assert torch.equal(learner.logits(first.inputs, 0), before)
    assert learner.accuracy(second, 1) > 0.8


def test_evaluate_gives_the_matrix_and_no_forgetting():
    learner = small()
    stream = Stream.of([(part, part) for part in tasks()])
    for task in stream:
        learner.fit_task(task.train)
    matrix = learner.evaluate(stream)
    assert matrix.shape == (3, 3)
    assert np.isfinite(matrix).all()
    for j in range(3):
        assert len(set(matrix[j:, j])) == 1


def test_takes_data_sets_arrays_and_a_validation_set():
    samples = made_samples(90)
    pair = (samples.inputs.numpy(), samples.targets.numpy())
    kinds = [samples, pair, TensorDataset(samples.inputs, samples.targets)]
    learners = [small().fit_task(data, val=made_samples(30, seed=4)) for data in kinds]
    assert same(all_tensors(learners[0]), all_tensors(learners[1]))
    assert same(all_tensors(learners[0]), all_tensors(learners[2]))
    assert learners[0].predict(pair[0][:5], task=0).shape == (5,)


def test_saved_and_loaded_learner_answers_bitwise_equal_and_goes_on(tmp_path):
    parts = tasks()
    learner = small(tmp_path / "run")
    for samples in parts[:2]:
        learner.fit_task(samples)
    loaded = BOCL.load(tmp_path / "run")
    for task, samples in enumerate(parts[:2]):
        assert torch.equal(
            loaded.logits(samples.inputs, task), learner.logits(samples.inputs, task)
        )
        assert np.array_equal(
            loaded.predict_task(samples.inputs), learner.predict_task(samples.inputs)
        )
    straight = small()
    for samples in parts:
        straight.fit_task(samples)
    small(tmp_path / "run").fit_task(parts[2]).save(tmp_path / "copy")
    again = BOCL.load(tmp_path / "copy")
    assert same(all_tensors(again), all_tensors(straight))


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize("fidelity", ["shared", "full"])
def test_killed_anywhere_and_run_again_ends_with_the_same_weights(tmp_path, monkeypatch, fidelity):
    parts = tasks(2)
    straight = small(fidelity=fidelity)
    for samples in parts:
        straight.fit_task(samples)
    writes = 0
    for deadline in range(1, 200):
        folder = tmp_path / "run"
        writes = 0
        real = files.write

        def write(path, content, real=real, deadline=deadline):
            nonlocal writes
            writes += 1
            if writes == deadline:
                raise Killed
            real(path, content)

        with monkeypatch.context() as patch:
            patch.setattr(files, "write", write)
            try:
                learner = small(folder, fidelity=fidelity)
                for samples in parts[learner.tasks :]:
                    learner.fit_task(samples)
                break
            except Killed:
                continue
    assert deadline > 5
    assert same(all_tensors(BOCL.load(folder)), all_tensors(straight))


def test_certificate_holds_and_fails_on_one_flipped_bit(tmp_path):
    learner = small(tmp_path)
    for samples in tasks(2):
        learner.fit_task(samples)
    issued = [checkpoint.load_certificate(tmp_path, task) for task in range(2)]
    loaded = BOCL.load(tmp_path)
    assert [certificate.verify(loaded.network, k, issued[k]) for k in range(2)] == ["exact"] * 2
    path = tmp_path / "tasks" / "000.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    flipped = BOCL.load(tmp_path)
    with pytest.raises(CertificateError, match="task 0 has changed"):
        certificate.verify(flipped.network, 0, issued[0])
    with pytest.raises(CertificateError, match="task 1 has changed"):  # it reads task 0's block
        certificate.verify(flipped.network, 1, issued[1])


@pytest.mark.parametrize("inputs", [16, 784])
def test_a_view_finds_an_earlier_task_whose_inputs_were_shuffled(inputs):
    samples = made_samples(400, (inputs,), 4)
    learner = small(base=(16, 12), epochs=8).fit_task(samples)
    order = torch.randperm(inputs, generator=torch.Generator().manual_seed(1))
    learner.fit_task((samples.inputs[:, order], samples.targets))
    assert learner.records[1].view == "permutation"
    assert torch.equal(order[learner.network.blocks[1].view.order], torch.arange(inputs))


def test_without_task_id_samples_find_their_task():
    learner = small(routing=100)
    parts = tasks()
    for samples in parts:
        learner.fit_task(samples)
    found = [learner.predict_task(samples.inputs) for samples in parts]
    assert all((part == k).mean() > 0.9 for k, part in enumerate(found))
    task, label = learner.predict_pairs(parts[1].inputs)
    assert ((task == 1) & (label == parts[1].targets.numpy())).mean() > 0.8


def test_one_search_gives_the_front_of_accuracy_against_size(tmp_path):
    learner = small(tmp_path, search="bayesian")
    for samples in tasks(2):
        learner.fit_task(samples)
    front = BOCL.load(tmp_path).pareto(1)
    assert front == learner.pareto(1)
    costs, accuracies = [point[1] for point in front], [point[2] for point in front]
    assert costs == sorted(costs)
    assert accuracies == sorted(accuracies)
    assert learner.pareto(0) == []


def test_fixed_growth_searches_nothing():
    learner = BOCL(
        searcher=FixedGrowth(Growth((2, 2), reuse=False)),
        **{name: value for name, value in SMALL.items() if name != "search"},
        gates="none",
        views="none",
    )
    for samples in tasks(2):
        learner.fit_task(samples)
    assert learner.records[1].trials == []
    assert learner.network.depths(1) == [0]


def test_of_one_growth_tried_twice_the_better_training_is_kept():
    class Thrice:
        name, only = "thrice", None

        def propose(self, _problem, trials, _count):
            return [Growth((8, 6))] if len(trials) < 3 else []

        def recommend(self, problem, trials):
            return best_observed(problem, trials)

    learner = small(searcher=Thrice(), fidelity="full", epochs=1, rate=0.014, validation=0.5)
    for samples in tasks(2):
        learner.fit_task(samples)
    accuracies = [trial.accuracy for trial in learner.records[1].trials]
    assert len(set(accuracies)) > 1
    assert learner.records[1].validation_accuracy == max(accuracies)


def test_what_counts_little_is_pruned_and_the_more_the_higher_the_share():
    sizes = []
    for prune in (0.0, 0.5):
        learner = small(searcher=FixedGrowth(Growth((8, 6))), prune=prune)
        for samples in tasks(2):
            learner.fit_task(samples)
        sizes.append(learner.network.parameters)
    assert sizes[1] < 0.9 * sizes[0]


def test_paper_protocol_counts_units_and_keeps_the_chosen_trial():
    learner = BOCL(
        protocol="paper",
        trunk="mlp",
        base=(4, 4),
        epochs=1,
        trials=2,
        search="reinforce",
        routing=0,
    )
    for samples in tasks(2):
        learner.fit_task(samples)
    record = learner.records[1]
    assert learner.settings.batch == 32
    assert all(trial.cost == sum(trial.growth.widths) for trial in record.trials)
    best = max(record.trials, key=lambda trial: trial.accuracy - 1e-4 * trial.cost)
    assert record.growth == best.growth
    assert record.validation_accuracy == best.accuracy


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((np.zeros((0, 12)), np.zeros(0)), "empty"),
        ((np.zeros((9, 12)), np.zeros(9)), "one class only"),
        ((np.zeros((9, 12)), np.arange(9) - 1), "label -1 is out of range"),
        ((np.zeros((9, 12)), np.arange(8)), r"need \(9,\)"),
        ((np.full((9, 12), np.nan), np.arange(9)), "not finite"),
        ((np.zeros((9, 0)), np.arange(9)), "at least one value"),
        ((np.zeros((9, 13)), np.arange(9)), r"inputs have shape \(13,\)"),
        ((np.zeros((9, 12)), np.arange(9) % 2), "validation"),
        ("images", "data is a str"),
    ],
)
def test_bad_tasks_get_one_sentence(data, sentence):
    learner = small(validation=0.05).fit_task(made_samples(200))
    with pytest.raises(DataError, match=sentence):
        learner.fit_task(data)
    assert learner.tasks == 1


def test_a_single_validation_sample_is_refused():
    samples = made_samples(60)
    with pytest.raises(DataError, match=r"validation has 1 sample\(s\); at least 2"):
        small().fit_task(samples, val=(samples.inputs[:1], samples.targets[:1]))


def test_validation_labels_beyond_the_tasks_are_refused():
    samples = made_samples(60)
    with pytest.raises(DataError, match="label 9 is out of range"):
        small().fit_task(samples, val=(samples.inputs, samples.targets * 0 + 9))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"validation": 1.0}, "validation is 1.0"),
        ({"gates": "soft"}, "gates is 'soft'"),
        ({"protocol": "ours"}, "protocol is 'ours'"),
        ({"learning": 1}, "'learning' is no setting"),
        ({"base": (0, 3)}, "base is"),
        ({"rate": 0}, "rate is 0"),
        ({"prune": 1.5}, "prune is 1.5"),
        ({"seed": 2**60}, "seed is 1152921504606846976"),
    ],
)
def test_bad_settings_get_one_sentence(changes, sentence):
    with pytest.raises(SettingsError, match=sentence):
        BOCL(**changes)


def test_unknown_tasks_and_unfitted_learners_are_refused():
    with pytest.raises(NotFittedError, match="fit_task first"):
        small().predict(np.zeros((1, 12)), task=0)
    learner = small(routing=0).fit_task(made_samples(60))
    with pytest.raises(UnknownTaskError, match="task 3 is unknown; tasks 0 to 0"):
        learner.predict(np.zeros((1, 12)), task=3)
    with pytest.raises(NotFittedError, match="routing is 0"):
        learner.predict(np.zeros((1, 12)))
    with pytest.raises(DataError, match="inputs have shape"):
        learner.predict(np.zeros((1, 5)), task=0)


def test_foreign_and_corrupt_checkpoints_are_refused(tmp_path):
    small(tmp_path / "run").fit_task(made_samples(60))
    with pytest.raises(CheckpointError, match="epochs = 5"):
        small(tmp_path / "run", epochs=4)
    with pytest.raises(CheckpointError, match="does not exist"):
        BOCL.load(tmp_path)
    path = tmp_path / "run" / "tasks" / "000.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="corrupt"):
        BOCL.load(tmp_path / "run")
    (tmp_path / "run" / "learner.json").write_text('{"format": 99}')
    with pytest.raises(CheckpointError, match="holds no learner"):
        BOCL.load(tmp_path / "run")


def test_unfinished_work_of_other_data_is_refused(tmp_path, monkeypatch):
    learner = small(tmp_path)

    def stop(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("bocl.fitting.freeze", stop)
        with pytest.raises(Killed):
            learner.fit_task(made_samples(60))
    with pytest.raises(CheckpointError, match="another data"):
        small(tmp_path).fit_task(made_samples(60, seed=9))


def test_rate_rises_then_falls_to_nothing():
    schedule = Schedule(epochs=1, rate=1.0)
    rates = [schedule.rate_at(step, 100) for step in range(100)]
    assert max(rates) == rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[-1] < 0.01
