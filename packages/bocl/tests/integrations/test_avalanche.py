"""The strategy inside Avalanche's own loop; see CONTRIBUTING for the environment it needs."""

from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from bocl import BOCL
from bocl.errors import MissingDependencyError
from bocl.growth import Growth
from bocl.search.rivals import FixedGrowth

INSTALLED = find_spec("avalanche") is not None
needs_avalanche = pytest.mark.skipif(not INSTALLED, reason="avalanche-lib is not installed")
SETTINGS = {"trunk": "mlp-small", "base": (8, 6), "epochs": 15, "batch": 16, "views": "none"}


@pytest.fixture(scope="module")
def avalanche():
    """Returns the strategy class and a function that makes benchmarks of pairs (train, test)."""
    if find_spec("torchvision") is not None:
        # torchvision's wheel expects its own operators, which a CPU build of torch lacks
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    benchmarks = import_module("avalanche.benchmarks")

    def benchmark(tasks):
        pairs = [(x, y) for x, y, _ in tasks]
        return benchmarks.tensors_benchmark(
            train_tensors=pairs, test_tensors=pairs, task_labels=[task for *_, task in tasks]
        )

    return import_module("bocl.integrations.avalanche").BOCLStrategy, benchmark


def made(seed, labels, task):
    """Returns clusters with given labels."""
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(len(labels), 1, 3, 3, generator=generator)
    places = torch.arange(90) % len(labels)
    x = centres[places] + 0.2 * torch.randn(90, 1, 3, 3, generator=generator)
    return x, torch.tensor(labels)[places], task


@needs_avalanche
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task_ids", [True, False])
def test_avalanches_loop_trains_and_evaluates(avalanche, task_ids):
    strategy_class, benchmark = avalanche
    stream = benchmark(
        [made(seed, [3 * seed, 3 * seed + 2], seed if task_ids else 0) for seed in range(3)]
    )
    metrics = import_module("avalanche.evaluation.metrics")
    plugins = import_module("avalanche.training.plugins")
    strategy = strategy_class(
        evaluator=plugins.EvaluationPlugin(
            metrics.accuracy_metrics(experience=True, stream=True),
            metrics.forgetting_metrics(stream=True),
        ),
        learner=BOCL(searcher=FixedGrowth(Growth((4, 3))), routing=50, **SETTINGS),
    )
    for experience in stream.train_stream:
        strategy.train(experience)
        found = strategy.eval(stream.test_stream)
    assert strategy.learner.tasks == 3
    accuracy = next(v for k, v in found.items() if k.startswith("Top1_Acc_Stream"))
    assert accuracy > 0.9
    if task_ids:
        forgetting = next(v for k, v in found.items() if k.startswith("StreamForgetting"))
        assert forgetting == 0


@pytest.mark.skipif(INSTALLED, reason="avalanche-lib is installed")
def test_without_avalanche_the_sentence_names_it():
    with pytest.raises(MissingDependencyError, match="pip install avalanche-lib"):
        import_module("bocl.integrations.avalanche")
