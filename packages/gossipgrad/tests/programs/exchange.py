"""A rank of a real job: trains in every mode and prints what the test compares, as JSON."""

import json
import os
import sys
import threading

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossipgrad import GossipDataLoader, GossipDataParallel, checkpoints

RUNS = (("sync", "auto"), ("overlap", "auto"), ("overlap", "hooks"), ("async", "auto"))
_one_at_a_time = threading.Lock()  # virtual ranks are threads and share torch's generator


def train(mode, driver, transport="auto"):
    """Trains one model; returns it, its optimizer and loader, and the tags of the samples seen."""
    with _one_at_a_time:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 300), nn.BatchNorm1d(300), nn.ReLU(), nn.Linear(300, 3))
    model = GossipDataParallel(net, mode=mode, driver=driver, bucket_mb=0.005, transport=transport)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    generator = torch.Generator().manual_seed(model.rank)
    inputs = torch.randn(96, 6, generator=generator)
    tag = torch.arange(96) + 1000 * model.rank
    tagged = torch.cat([inputs, tag[:, None].float()], 1)
    loader = GossipDataLoader(tagged, inputs[:, :3].argmax(1), 8, transport=transport)
    seen = set()
    for _ in range(2):
        for batch, targets in loader:
            seen.update(batch[:, 6].int().tolist())
            optimizer.zero_grad()
            cross_entropy(model(batch[:, :6]), targets).backward()
            optimizer.step()
    loader.finish()
    return model, optimizer, loader, seen


def own(model):
    """Returns a number that any changed bit of this rank's weights changes."""
    return sum(parameter.double().sum().item() for parameter in model.parameters())


def main():
    """Trains in every mode."""
    torch.set_num_threads(1)
    rows = {}
    for mode, driver in RUNS:
        model, optimizer, loader, seen = train(mode, driver)
        alone = own(model)
        report = model.consensus()
        bits = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
        rows[f"{mode}-{driver}"] = {
            "own": alone,
            "bits": hash(bits),
            "exchanges": report.exchanges,
            "foreign": sum(one // 1000 != model.rank for one in seen),
            "held": sorted(loader.samples[:, 6].int().tolist()),
            "transport": model.transport_name,
        }
        if mode == "sync" and len(sys.argv) > 1:
            checkpoints.save(sys.argv[1], model, optimizer, {"epoch": 2})
            extra = checkpoints.load(sys.argv[1], model, optimizer)
            again = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
            same = hash(again) == hash(bits)
            rows["checkpoint"] = {"same": same, "extra": extra, "steps": model.steps}
        model.close()
    line = json.dumps({"rank": model.rank, "size": model.world_size, "rows": rows}) + "\n"
    os.write(1, line.encode())  # one write, so that ranks' lines do not mix


if __name__ == "__main__":
    main()
