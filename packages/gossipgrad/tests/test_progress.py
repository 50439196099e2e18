"""Who drives the network while the model computes."""

import threading

import pytest
import torch
from fleet import run_ranks
from torch import nn

from gossipgrad import GossipDataParallel
from gossipgrad.errors import ConfigurationError, GossipError
from gossipgrad.progress import Nap, Progress


def test_hooks_look_before_each_layer_and_after_each_gradient():
    looks = []
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    progress = Progress(lambda: looks.append("look"), threading.RLock(), "hooks")
    progress.start(model)
    output = model(torch.ones(2, 3)).sum()
    assert len(looks) == 3
    output.backward()
    assert len(looks) == 3 + 4
    progress.stop()
    model(torch.ones(2, 3)).sum().backward()
    assert len(looks) == 3 + 4


def test_hooks_do_not_wait_for_who_is_driving_already():
    looks, lock = [], threading.RLock()
    model = nn.Linear(3, 1)
    progress = Progress(lambda: looks.append("look"), lock, "hooks")
    progress.start(model)
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    model(torch.ones(2, 3)).sum().backward()
    done.set()
    holder.join()
    progress.stop()
    assert not looks


def test_a_thread_looks_until_it_is_stopped():
    looked = threading.Semaphore(0)

    def look():
        looked.release()
        return True

    progress = Progress(look, threading.RLock(), "thread")
    progress.start(nn.Linear(1, 1))
    assert all(looked.acquire(timeout=10) for _ in range(3))
    progress.stop()
    while looked.acquire(blocking=False):
        pass
    assert not looked.acquire(timeout=0.05)


def test_what_fails_on_the_thread_is_raised_by_the_next_step():
    def body(transport):
        model = GossipDataParallel(nn.Linear(2, 1), transport=transport, driver="thread")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        failed = threading.Event()

        def fail():
            failed.set()
            raise GossipError("the network is on fire")

        model._participant._progress._poll = fail
        failed.wait(10)
        model._participant._progress._thread.join(10)
        model(torch.ones(1, 2)).sum().backward()
        with pytest.raises(GossipError, match="on fire"):
            optimizer.step()

    run_ranks(2, body)


def test_an_unknown_driver_is_named():
    with pytest.raises(ConfigurationError, match="driver is 'fork'; allowed: auto, thread, hooks"):
        Progress(lambda: None, threading.RLock(), "fork")


def test_naps_grow_to_a_millisecond(monkeypatch):
    slept = []
    monkeypatch.setattr("gossipgrad.progress.time.sleep", slept.append)
    nap = Nap()
    for _ in range(20):
        nap()
    assert slept == sorted(slept)
    assert slept[0] < 1e-4
    assert slept[-1] == pytest.approx(1e-3)
