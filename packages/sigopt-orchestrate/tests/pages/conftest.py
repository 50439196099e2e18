"""A real browser on a real server, over a store with experiments of both kinds."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from serving import serving

from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.server.accounts import create_client, create_token
from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.settings import Settings
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Store, lead
from sigopt_orchestrate.store.database import open_database, writing

BROWSER = os.environ.get("ORCHESTRATE_CHROMIUM") or shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

KEYS = {
    "name": "digits <b>",
    "command": ["true"],
    "parameters": [
        {
            "name": "rate",
            "type": "double",
            "bounds": {"min": 1e-5, "max": 1},
            "transformation": "log",
            "default": 1e-3,
        },
        {"name": "depth", "type": "int", "bounds": {"min": 1, "max": 8}, "default": 2},
        {
            "name": "kind",
            "type": "categorical",
            "categorical_values": ["plain", "gated"],
            "default": "plain",
        },
    ],
    "metrics": [{"name": "accuracy"}, {"name": "cost", "objective": "minimize"}],
    "budget": 60,
}


def fill(store: Store, keys: dict[str, Any], count: int, seed: int = 0) -> int:
    """Makes an experiment of `count` trials that look like real ones; returns its id."""
    spec, rnd = Experiment.model_validate(keys), random.Random(seed)
    record = store.create_experiment(spec, store.home.root)
    with lead(store, record.id) as ledger:
        with ledger.group():
            for number in range(1, count + 1):
                values = _some(spec, rnd) if number > 1 else spec.defaults
                trial = ledger.add_trial(values, "default" if number == 1 else "quasi-random")
                trial = ledger.advance(ledger.lease(trial), TrialState.RUNNING)
                if number % 12 == 0:
                    ledger.report(trial.token, None, "exit status 1: out of memory")
                else:
                    reported = {m.name: rnd.random() * (1 - 1 / number) for m in spec.metrics}
                    ledger.report(trial.token, reported)
        done = count >= spec.budget
        ledger.end(ExperimentState.COMPLETED if done else ExperimentState.STOPPED)
    return record.id


def _some(spec: Experiment, rnd: random.Random) -> dict[str, Any]:
    return {
        p.name: rnd.choice(p.categorical_values)
        if p.type == "categorical"
        else rnd.randint(p.bounds.min, p.bounds.max)
        if p.type == "int"
        else p.bounds.min * (p.bounds.max / p.bounds.min) ** rnd.random()
        for p in spec.parameters
    }


@dataclass
class Site:
    """A server with a store of its own.

    Attributes:
        tokens: Of the first client by scope, and `other` of a second client.
        run: A script whose trials wait for `go`; `orchestrate run` of it is experiment 2.
    """

    address: str
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def api(self, method: str, path: str, body: Any = None, scope: str = "admin") -> Any:
        """Calls the API or a page's view with a token."""
        response = httpx.request(
            method,
            f"{self.address}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.tokens[scope]}"},
            timeout=60,
        )
        assert response.is_success, response.text
        return response.json()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server over SQLite with a finished local experiment (1) and one of the API (1)."""
    folder = tmp_path_factory.mktemp("pages")
    store = Store(folder)
    fill(store, KEYS, 60)
    store.close()
    settings = Settings(
        folder / "orchestrate.db", folder, requests_per_second=0, failures_per_second=0
    )
    engine = open_database(settings.store)
    with writing(engine) as tx:
        owner, other = create_client(tx, "first"), create_client(tx, "second")
        tokens = {str(s): create_token(tx, owner, s)[1] for s in (Scope.ADMIN, Scope.READ)}
        tokens["other"] = create_token(tx, other, Scope.ADMIN)[1]
    engine.dispose()
    with serving(settings) as address:
        made = Site(address, folder, tokens)
        _served(made)
        yield made


def _served(site: Site) -> None:
    """An experiment of the API with observations, a grid, and an open suggestion."""
    body = {
        "name": "served",
        "parameters": [
            {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
            {"name": "size", "type": "int", "grid": [16, 32, 64]},
        ],
        "metrics": [{"name": "score", "objective": "maximize"}],
        "observation_budget": 30,
    }
    made = site.api("POST", "/v1/experiments", body)
    for index in range(8):
        observation = {"assignments": {"x": index / 8, "size": [16, 32, 64][index % 3]}}
        observation |= {"failed": True} if index == 3 else {"values": [{"value": index / 10}]}
        for value in observation.get("values", ()):
            value["name"] = "score"
        site.api("POST", f"/v1/experiments/{made['id']}/observations", observation)
    site.api(
        "POST",
        f"/v1/experiments/{made['id']}/suggestions",
        {"assignments": {"x": 0.5, "size": 32}},
    )


@pytest.fixture
def running(site: Site, tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Starts `orchestrate run` of trials that report a step and wait for a file; gives its id."""
    waiting = (
        'echo "begun with {{rate}}"; i=0; while [ ! -e go ] && [ ! -e "$ORCHESTRATE_STOP" ]; do '
        "i=$((i+1)); "
        'printf \'{{"step": %s, "accuracy": 0.%s}}\\n\' $i $i >> "$ORCHESTRATE_METRICS"; '
        "sleep 0.3; done; "
        'printf \'{{"accuracy": 0.5, "cost": 1}}\\n\' >> "$ORCHESTRATE_METRICS"'
    ).replace("{{rate}}", "{rate}")
    keys = KEYS | {
        "name": "waits",
        "command": waiting,
        "budget": 3,
        "parallel": 2,
        "optimizer": {"algorithm": "random"},
        "timeouts": {"heartbeat": "20s"},
    }
    (tmp_path / "experiment.yml").write_text(yaml.safe_dump(keys))
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        before = len(site.api("GET", "/ui/experiments")["experiments"])
        command = [sys.executable, "-m", "sigopt_orchestrate", "run", "experiment.yml"]
        log = (tmp_path / "run.log").open("wb")
        with log:
            started.append(
                subprocess.Popen(
                    [*command, "--home", str(site.folder)], cwd=tmp_path, stdout=log, stderr=log
                )
            )
        while True:
            found = site.api("GET", "/ui/experiments")["experiments"]
            new = [one for one in found if one["kind"] == "local" and one["running"] == 2]
            if len(found) > before and new:
                return int(new[0]["id"])
            assert started[0].poll() is None, (tmp_path / "run.log").read_text()
            time.sleep(0.05)

    yield start
    (tmp_path / "go").touch()
    for process in started:
        process.wait(60)


@dataclass
class Watcher:
    """A browser's page, and all that it has complained about."""

    page: Any
    site: Site
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str = "", scope: str = "admin") -> None:
        """Opens a view, signed in by the form."""
        self.page.goto(f"{self.site.address}/ui/#{address}")
        field = self.page.get_by_label("Token")
        field.fill(self.site.tokens[scope])
        field.press("Enter")
        self.page.wait_for_selector("#leave:not([hidden])")

    def see(self, address: str, selector: str) -> Any:
        """Goes to a view by the address, and waits for what it shows."""
        self.page.evaluate(f"location.hash = {json.dumps('#' + address)}")
        return self.page.wait_for_selector(selector)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window; no longer than its tests, for it keeps an event loop running."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no browser: no chromium on the path, and ORCHESTRATE_CHROMIUM is not set")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def watch(browser: Any, site: Site) -> Iterator[Callable[..., Watcher]]:
    """Opens a page in a window of its own; at the end nothing may have been complained about."""
    watchers = []

    def start(**options: Any) -> Watcher:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        watcher = Watcher(context.new_page(), site)
        watcher.page.set_default_timeout(15_000)
        watchers.append(watcher)

        def heard(message: Any) -> None:
            if message.type in {"error", "warning"}:
                watcher.complaints.append(message.text)

        watcher.page.on("console", heard)
        watcher.page.on("pageerror", lambda error: watcher.complaints.append(str(error)))
        return watcher

    yield start
    for watcher in watchers:
        watcher.page.context.close()
    assert [complaint for w in watchers for complaint in w.complaints] == []
