"""What each rival must be true to, on small nets and made data."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bocl.baselines import (
    EWC,
    RCL,
    EqualSizeSeparate,
    FineTune,
    Joint,
    LwF,
    PackNet,
    Progressive,
    Separate,
)
from bocl.baselines.joint import _Union
from bocl.baselines.plain import PlainBatch, PlainData
from bocl.baselines.separate import size, widths_within
from bocl.errors import DataError, NotFittedError, SettingsError, UnknownTaskError
from bocl.streams.samples import Samples
from bocl.training import Schedule
from bocl.trunks.architectures import make_trunk

TRUNK = make_trunk("mlp-small", (1, 3, 3), (20, 12))
SCHEDULE = Schedule(epochs=15, batch=16, rate=2e-2)


def task(seed: int, classes: int = 3, count: int = 90, noise: float = 0.3) -> Samples:
    """Returns clusters that a small net can learn."""
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(classes, 1, 3, 3, generator=generator)
    targets = torch.arange(count) % classes
    spread = noise * torch.randn(count, 1, 3, 3, generator=generator)
    return Samples(centres[targets] + spread, targets)


MAKERS = {
    "fine-tune": lambda **s: FineTune(TRUNK, SCHEDULE, **s),
    "joint": lambda **s: Joint(TRUNK, SCHEDULE, **s),
    "ewc": lambda **s: EWC(TRUNK, SCHEDULE, fisher_samples=40, strength=10.0, **s),
    "lwf": lambda **s: LwF(TRUNK, SCHEDULE, **s),
    "separate": lambda **s: Separate(TRUNK, SCHEDULE, **s),
    "equal-size": lambda **s: EqualSizeSeparate(TRUNK, SCHEDULE, total=600, tasks=3, **s),
    "packnet": lambda **s: PackNet(TRUNK, SCHEDULE, tasks=3, **s),
    "progressive": lambda **s: Progressive(TRUNK, SCHEDULE, widths=(8, 6), **s),
    "rcl": lambda **s: RCL(TRUNK, SCHEDULE, trials=2, **s),
}
NEVER_FORGET = ("separate", "equal-size", "packnet", "progressive", "rcl")


@pytest.mark.parametrize("name", MAKERS)
def test_every_baseline_learns_the_newest_task(name):
    method = MAKERS[name]()
    for seed in range(2):
        samples = task(seed)
        method.fit_task(samples)
        right = method.predict(samples.inputs, seed) == samples.targets.numpy()
        assert right.mean() > 0.9
    assert method.parameters > 0
    assert method.cpu_s > 0


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_gives_the_same_answers(name):
    first, second = MAKERS[name](seed=3), MAKERS[name](seed=3)
    samples = task(0)
    for method in (first, second):
        method.fit_task(samples)
    np.testing.assert_array_equal(
        first.predict(samples.inputs, 0), second.predict(samples.inputs, 0)
    )


@pytest.mark.parametrize("name", NEVER_FORGET)
def test_earlier_logits_stay_bit_equal(name):
    method = MAKERS[name]()
    inputs = task(9).inputs
    seen = []
    for seed in range(3):
        method.fit_task(task(seed, classes=3 + seed))
        for earlier, logits in enumerate(seen):
            assert torch.equal(method._logits(inputs, earlier), logits)
        seen.append(method._logits(inputs, seed).detach())


def test_a_joint_batch_holds_each_row_once_with_its_task():
    parts = [PlainData(TRUNK, task(seed, count=20 + seed)) for seed in range(3)]
    union = _Union(parts, [0, 3, 6])
    batch = union.batch(torch.tensor([0, 19, 20, 41, 40, 62]))
    assert len(union) == 63
    assert batch.tasks.tolist() == [0, 0, 1, 1, 2, 2]
    for row, (part, place) in enumerate([(0, 0), (0, 19), (1, 0), (1, 20), (2, 0), (2, 21)]):
        alone = parts[part].batch(torch.tensor([place]))
        assert torch.equal(batch.entry[row], alone.entry[0])
        assert batch.targets[row] == alone.targets[0] + 3 * part


def test_joint_training_keeps_all_tasks():
    method = MAKERS["joint"]()
    tasks = [task(seed) for seed in range(3)]
    for samples in tasks:
        method.fit_task(samples)
    for number, samples in enumerate(tasks):
        right = method.predict(samples.inputs, number) == samples.targets.numpy()
        assert right.mean() > 0.9


def test_ewc_penalty_is_the_sum_over_tasks():
    method = MAKERS["ewc"]()
    memories = []
    estimate = method.fisher

    def remembered(*arguments):
        fisher = estimate(*arguments)
        copies = ({n: f.clone() for n, f in part.items()} for part in (fisher, method.weights))
        memories.append(tuple(copies))
        return fisher

    method.fisher = remembered
    for seed in range(3):
        method.fit_task(task(seed))
    leaves = {
        name: (weight + 0.1 * torch.randn_like(weight)).requires_grad_()
        for name, weight in method.weights.items()
    }
    zero = torch.zeros(1, 9)
    batch = PlainBatch(torch.zeros(1, 9), torch.zeros(1, dtype=torch.int64))
    quick = method._loss(leaves, zero, batch, method.span(2))
    slow = 0.0
    for fisher, weights in memories:
        for name, leaf in leaves.items():
            moved = leaf[: len(weights[name])] - weights[name]
            slow = slow + method.strength / 2 * (fisher[name] * moved**2).sum()
    found = torch.autograd.grad(quick, list(leaves.values()))
    wanted = torch.autograd.grad(slow, list(leaves.values()))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_fisher_is_the_mean_square_of_single_gradients():
    method = MAKERS["ewc"]()
    samples = task(0)
    method.fit_task(samples)
    span, inputs = method.span(0), samples.inputs[:8]
    found = method.fisher(inputs, span, torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    labels = [
        torch.multinomial(torch.softmax(row, 0), 1, generator=generator)[0]
        for row in method._logits(inputs, 0)
    ]
    slow = {name: torch.zeros_like(weight) for name, weight in method.weights.items()}
    for x, label in zip(inputs, labels, strict=True):
        leaves = {n: w.clone().requires_grad_() for n, w in method.weights.items()}
        loss = functional.cross_entropy(method._all_logits(leaves, x[None])[:, span], label[None])
        for name, g in zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True):
            slow[name] += g**2 / len(inputs)
    for name, value in slow.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-7)


def test_ewc_forgets_less_than_fine_tuning():
    tasks = [task(seed, noise=1.0) for seed in range(4)]
    kept = {}
    for strength in (0.0, 1e4):  # without its penalty it is fine-tuning
        method = EWC(TRUNK, SCHEDULE, fisher_samples=40, strength=strength, heads="one")
        for samples in tasks:
            method.fit_task(samples)
        kept[strength] = np.mean(
            [method.predict(earlier.inputs, 0) == earlier.targets.numpy() for earlier in tasks[:-1]]
        )
    assert kept[1e4] > kept[0.0] + 0.1


@pytest.mark.parametrize("heads", ["own", "growing"])
def test_distillation_pulls_nowhere_while_outputs_are_the_teachers(heads):
    method = MAKERS["lwf"](heads=heads)
    method.classes = [3, 3]
    logits = torch.randn(4, 6, requires_grad=True)
    teacher = logits.detach()[:, :3]
    term = method._distillation(logits[:, :3], teacher)
    (gradient,) = torch.autograd.grad(term, logits)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_a_growing_head_tells_classes_apart_over_tasks():
    method = MAKERS["joint"](heads="growing")
    tasks = [task(seed) for seed in range(2)]
    for samples in tasks:
        method.fit_task(samples)
    for number, samples in enumerate(tasks):
        right = method.predict_class(samples.inputs) == samples.targets.numpy() + 3 * number
        assert right.mean() > 0.8


def test_packnet_gives_each_task_its_share_of_every_layer():
    method = MAKERS["packnet"]()
    for seed in range(3):
        method.fit_task(task(seed))
        owner = method._owner["1.weight"]
        assert int((owner == seed + 1).sum()) == owner.numel() // 3
    assert int((owner == 0).sum()) == 0
    with pytest.raises(SettingsError, match="one too many"):
        method.fit_task(task(3))


def test_separate_networks_may_start_as_copies_of_the_first():
    never = Schedule(epochs=1, batch=90, rate=1e-12)
    method = Separate(TRUNK, never, copies=True)
    for seed in range(2):
        method.fit_task(task(seed))
    (_, first), (_, second) = method._learned
    torch.testing.assert_close(second["1.weight"], first["1.weight"])
    assert not torch.allclose(second["head.weight"], first["head.weight"])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([(7, 5), (312, 128), (40,)]), st.integers(200, 400_000))
def test_widths_within_a_budget_fit_it_and_no_wider_ones_do(base, budget):
    trunk = make_trunk("mlp", (1, 9, 9), base)
    widths = widths_within(trunk, 10, budget)
    assert size(trunk, widths, 10) <= budget
    wider = tuple(width + 1 for width in widths)
    assert size(trunk, wider, 10) > budget


def test_convolutional_trunks_work_and_mirror_images():
    trunk = make_trunk("lenet", (3, 16, 16), (2, 3, 6))
    generator = torch.Generator().manual_seed(0)
    samples = Samples(torch.randn(20, 3, 16, 16, generator=generator), torch.arange(20) % 2)
    short = Schedule(epochs=1, batch=10)
    for method in (
        EWC(trunk, short, flips=True, fisher_samples=4),
        PackNet(trunk, short, flips=True, tasks=2),
        Progressive(trunk, short, flips=True),
    ):
        for number in range(2):
            method.fit_task(samples)
            assert method.predict(samples.inputs, number).shape == (20,)


def test_bad_input_is_told_in_one_sentence():
    method = MAKERS["separate"]()
    inputs = task(0).inputs
    with pytest.raises(NotFittedError, match="no task yet"):
        method.predict(inputs, 0)
    method.fit_task(task(0))
    with pytest.raises(UnknownTaskError, match="task 1 is unknown"):
        method.predict(inputs, 1)
    with pytest.raises(DataError, match="began with"):
        method.fit_task((torch.zeros(4, 1, 4, 4), torch.zeros(4)))
    wrong = {
        "heads is 'two'": lambda: MAKERS["fine-tune"](heads="two"),
        "heads is 'one'": lambda: MAKERS["lwf"](heads="one"),
        "strength is -1": lambda: EWC(TRUNK, SCHEDULE, strength=-1),
        "temperature is 0": lambda: LwF(TRUNK, SCHEDULE, temperature=0),
        "tasks is 0": lambda: PackNet(TRUNK, SCHEDULE, tasks=0),
        "budget of 10": lambda: widths_within(TRUNK, 3, 10),
    }
    for sentence, make in wrong.items():
        with pytest.raises(SettingsError, match=sentence):
            make()


def test_rcl_changes_old_units_for_the_new_task_alone():
    method = RCL(TRUNK, SCHEDULE, total=900, tasks=3)
    first, second = task(0), task(1)
    method.fit_task(first)
    before = method._logits(first.inputs, 0)
    method.fit_task(second)
    old, new = method.widths
    assert new > old
    links = method._weights["2.weight"][: old[1], old[0] :]
    assert bool((links != 0).any())
    assert torch.equal(method._logits(first.inputs, 0), before)


def test_rcl_stays_within_the_total_it_is_given():
    method = RCL(TRUNK, SCHEDULE, total=900, tasks=3)
    for seed in range(3):
        method.fit_task(task(seed))
    assert 600 < method.parameters <= 900
    small = RCL(TRUNK, SCHEDULE, total=10, tasks=3)
    small.fit_task(task(0))
    with pytest.raises(SettingsError, match="total is 10"):
        small.fit_task(task(1))


def test_rcl_keeps_the_trial_of_the_best_reward():
    method = RCL(TRUNK, Schedule(epochs=2, batch=16, rate=2e-2), trials=3)
    method.fit_task(task(0))
    method.fit_task(task(1))
    grown = [new - old for new, old in zip(*reversed(method.widths), strict=True)]
    assert all(0 <= units <= 29 for units in grown)
    assert method._heads[1]["head.weight"].shape == (3, method.widths[1][1])
