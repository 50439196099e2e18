"""A task exported answers as the learner does."""

import numpy as np
import onnxruntime
import pytest
import torch

from bocl import BOCL
from bocl.errors import UnknownTaskError
from bocl.export import TaskModule, export_onnx, export_program
from bocl.growth import Growth
from bocl.search.rivals import FixedGrowth
from bocl.streams.rotation import rotate

CASES = {
    "mlp": ("mlp-small", (1, 6, 6), (8, 6), Growth((3, 2)), {}),
    "mlp without growth": ("mlp-small", (1, 6, 6), (8, 6), Growth((0, 0)), {}),
    "mlp alone": ("mlp-small", (1, 6, 6), (8, 6), Growth((3, 2), reuse=False), {}),
    "lenet": ("lenet", (1, 16, 16), (3, 4, 6), Growth((1, 2, 3)), {}),
    "lenet that borrows": ("lenet", (1, 20, 20), (3, 4, 6), Growth((1, 2, 3)), {}),
    "resnet with input gates": (
        "resnet",
        (1, 16, 16),
        (2, 3, 4),
        Growth((0, 2, 2)),
        {"gates": "input", "bounded": False},
    ),
}


def learner_of(case, tasks=3):
    """Returns a learner of a few steps, and inputs of its kind."""
    trunk, shape, base, growth, settings = CASES[case]
    learner = BOCL(
        trunk=trunk,
        base=base,
        searcher=FixedGrowth(growth),
        epochs=2,
        batch=16,
        views="none",
        routing=0,
        **settings,
    )
    generator = torch.Generator().manual_seed(0)
    for _ in range(tasks):
        inputs = torch.randn(60, *shape, generator=generator)
        learner.fit_task((inputs, torch.arange(60) % 3))
    return learner, torch.randn(7, *shape, generator=generator)


@pytest.mark.parametrize("case", CASES)
def test_the_module_answers_bit_by_bit(case):
    learner, inputs = learner_of(case)
    network = learner.fitted_network()
    for task in range(3):
        module = TaskModule(network, task)
        assert torch.equal(module(inputs), learner.logits(inputs, task))
        copy = TaskModule(network, task)
        copy.load_state_dict(module.state_dict())
        assert torch.equal(copy(inputs), module(inputs))


def test_the_module_holds_less_than_the_network():
    learner, _ = learner_of("mlp alone")
    network = learner.fitted_network()
    assert TaskModule(network, 2).parameters_stored == network.blocks[2].parameters


@pytest.mark.parametrize(
    "case", ["mlp without growth", "lenet that borrows", "resnet with input gates"]
)
def test_files_answer_as_the_learner_for_any_batch(case, tmp_path):
    learner, inputs = learner_of(case)
    network = learner.fitted_network()
    export_program(network, 2, tmp_path / "task.pt2")
    program = torch.export.load(tmp_path / "task.pt2").module()
    export_onnx(network, 2, tmp_path / "task.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "task.onnx")
    for count in (1, 7):
        part = inputs[:count]
        wanted = learner.logits(part, 2)
        assert torch.equal(program(part), wanted)
        (found,) = session.run(["logits"], {"inputs": part.numpy()})
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_views_are_exported(tmp_path):
    trunk, shape, base, growth, _ = CASES["mlp"]
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(3, *shape, generator=generator)
    targets = torch.arange(120) % 3
    inputs = centres[targets] + 0.1 * torch.randn(120, *shape, generator=generator)
    order = torch.randperm(36, generator=generator)
    shuffled = inputs.flatten(1)[:, order].view_as(inputs)
    for changed, name in ((shuffled, "permutation"), (rotate(inputs, 90.0), "rotation")):
        learner = BOCL(
            trunk=trunk,
            base=base,
            searcher=FixedGrowth(growth),
            epochs=20,
            batch=16,
            views=name,
            routing=0,
        )
        learner.fit_task((inputs, targets)).fit_task((changed, targets))
        assert learner.records[1].view.startswith(name)
        wanted = learner.logits(changed, 1)
        network = learner.fitted_network()
        assert torch.equal(TaskModule(network, 1)(changed), wanted)
    export_onnx(network, 1, tmp_path / "task.onnx")  # the turned one: its grid is a constant
    session = onnxruntime.InferenceSession(tmp_path / "task.onnx")
    (found,) = session.run(["logits"], {"inputs": changed.numpy()})
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_unknown_tasks_are_refused():
    learner, _ = learner_of("mlp", tasks=1)
    with pytest.raises(UnknownTaskError, match="task 1 is unknown; tasks 0 to 0"):
        TaskModule(learner.fitted_network(), 1)
