"""Takes the documentation's pictures: `python benchmarks/pictures.py`, with Chromium installed.

The experiments are made up by a formula; the server, the pages and the browser are the real ones.
"""

import math
import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from hundred_thousand import FLAGS, new_token, served
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Store, lead

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PARAMETERS = [
    {
        "name": "rate",
        "type": "double",
        "bounds": {"min": 1e-5, "max": 1},
        "transformation": "log",
        "default": 1e-4,
    },
    {"name": "depth", "type": "int", "bounds": {"min": 1, "max": 8}, "default": 2},
    {"name": "dropout", "type": "double", "bounds": {"min": 0, "max": 0.6}, "default": 0.1},
    {
        "name": "kind",
        "type": "categorical",
        "categorical_values": ["plain", "gated", "attention"],
        "default": "plain",
    },
]


def fill(store: Store, name: str, count: int, budget: int, *, two: bool = False) -> None:
    """Makes an experiment whose search closes in on a good place."""
    metrics: list[dict[str, Any]] = [{"name": "accuracy"}]
    metrics += [{"name": "latency_ms", "objective": "minimize"}] if two else []
    keys = {
        "name": name,
        "command": ["python", "train.py"],
        "parameters": PARAMETERS,
        "metrics": [*metrics, {"name": "loss", "strategy": "store"}],
        "budget": budget,
        "parallel": 4,
    }
    spec, rnd = Experiment.model_validate(keys), random.Random(name)  # noqa: S311 - no secret
    record = store.create_experiment(spec, store.home.root)
    with lead(store, record.id) as ledger, ledger.group():
        for number in range(1, count + 1):
            given = dict(spec.defaults or {}) if number == 1 else choose(rnd, number)
            source = "default" if number == 1 else "quasi-random" if number < 9 else "bayesian"
            trial = ledger.add_trial(given, source)
            trial = ledger.advance(ledger.lease(trial), TrialState.RUNNING)
            if rnd.random() < 0.05:
                ledger.report(trial.token, None, "exit status 1: CUDA error: out of memory")
            else:
                values = outcome(rnd, given)
                ledger.report(
                    trial.token,
                    {k: v for k, v in values.items() if two or k[0] != "l" or k == "loss"},
                )
                write_files(store, record.id, number, values)
        done = count >= budget
        ledger.end(ExperimentState.COMPLETED if done else ExperimentState.STOPPED)


def choose(rnd: random.Random, number: int) -> dict[str, Any]:
    """More and more often something good."""
    if rnd.random() < min(0.8, number / 40):
        rate, dropout = 10 ** rnd.gauss(-2.3, 0.5), rnd.gauss(0.25, 0.08)
        depth, kind = rnd.choice([4, 5, 6]), rnd.choice(["gated", "gated", "attention"])
    else:
        rate, dropout = 10 ** rnd.uniform(-5, 0), rnd.uniform(0, 0.6)
        depth, kind = rnd.randint(1, 8), rnd.choice(["plain", "gated", "attention"])
    return {
        "rate": min(1.0, max(1e-5, rate)),
        "depth": depth,
        "dropout": min(0.6, max(0.0, dropout)),
        "kind": kind,
    }


def outcome(rnd: random.Random, given: dict[str, Any]) -> dict[str, float]:
    """What a trial reports."""
    worse = {"plain": 0.04, "gated": 0.0, "attention": 0.008}[given["kind"]]
    away = 0.05 * (math.log10(given["rate"]) + 2.3) ** 2 + 0.012 * abs(given["depth"] - 5)
    accuracy = 0.93 - away - 0.2 * (given["dropout"] - 0.25) ** 2 - worse + rnd.gauss(0, 0.006)
    slow = 6 if given["kind"] == "attention" else 0
    return {
        "accuracy": accuracy,
        "loss": 1.1 * (1 - accuracy) + rnd.gauss(0, 0.004),
        "latency_ms": 4 + 2.2 * given["depth"] + slow + rnd.gauss(0, 0.5),
    }


def write_files(store: Store, experiment: int, number: int, values: dict[str, float]) -> None:
    """A log and a learning curve, as a trial would have left them."""
    folder = store.home.experiment(experiment).attempt(number, 1)
    folder.output.mkdir(parents=True)
    steps = range(1, 21)
    curve = [1 - math.exp(-step / 4) for step in steps]
    lines = [
        f'{{"step": {step}, "accuracy": {values["accuracy"] * c:.5f}, "loss": {1.2 - c:.5f}}}'
        for step, c in zip(steps, curve, strict=True)
    ]
    folder.metrics.write_text("\n".join(lines) + "\n")
    said = [f"epoch {step:>2}  loss {1.2 - c:.4f}" for step, c in zip(steps, curve, strict=True)]
    folder.log.write_text("\n".join(said) + "\n")


def take(page: Page, name: str) -> None:
    """Saves what is shown, with few enough colours to stay small."""
    page.wait_for_timeout(700)
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(160, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def main() -> None:
    """Makes the store, serves it, and takes each picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        store = Store(home)
        fill(store, "image-classifier", 120, 120)
        fill(store, "speed-and-accuracy", 160, 160, two=True)
        fill(store, "night-run", 46, 60)
        store.close()
        path = os.environ.get("ORCHESTRATE_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        token = new_token(home)
        with served(home) as (address, _process):
            for name, options, views in PICTURES:
                page = browser.new_context(**options).new_page()
                page.set_default_timeout(60_000)
                page.goto(f"{address}/ui/")
                page.get_by_label("Token").fill(token)
                page.keyboard.press("Enter")
                for view, (place, selector) in views.items():
                    page.wait_for_selector("#leave:not([hidden])")
                    page.evaluate(f"location.hash = '#{place}'")
                    page.wait_for_selector(selector, state="attached")
                    take(page, f"{view}{name}")
                page.context.close()
        browser.close()
    print(f"{len(list(IMAGES.iterdir()))} pictures, {time.strftime('%Y-%m-%d')}")


PLOT = ".scatterlayer .point"
WIDE = {"viewport": {"width": 1280, "height": 860}}
PICTURES: list[tuple[str, dict[str, Any], dict[str, tuple[str, str]]]] = [
    (
        "",
        WIDE,
        {
            "experiments": ("/", ".list"),
            "overview": ("/local/1/overview", PLOT),
            "trade-off": ("/local/2/overview", PLOT),
            "parallel": ("/local/1/parallel?m.accuracy=0.9..", "svg.coordinates"),
            "parameters": ("/local/1/parameters", ".slice .main-svg"),
            "trials": ("/local/1/trials?sort=m.accuracy&descending=1&trial=42", ".curve .main-svg"),
        },
    ),
    (
        "-dark",
        WIDE | {"color_scheme": "dark"},
        {
            "overview": ("/local/1/overview", PLOT),
            "parallel": ("/local/1/parallel", "svg.coordinates"),
        },
    ),
    (
        "-phone",
        {"viewport": {"width": 360, "height": 720}, "device_scale_factor": 2, "has_touch": True},
        {
            "overview": ("/local/1/overview", PLOT),
            "trial": ("/local/1/trials?trial=42", ".curve .main-svg"),
        },
    ),
]

if __name__ == "__main__":
    main()
