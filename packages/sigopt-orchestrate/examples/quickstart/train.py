"""Stands for a training program: parameters by command line, metrics by `report`."""

import argparse
import math
import time

import sigopt_orchestrate


def accuracy(rate: float, depth: int, kind: str) -> float:
    """A made-up accuracy, best at rate 0.01, depth 5 and kind gated."""
    loss = (math.log10(rate) + 2) ** 2 / 4 + ((depth - 5) / 4) ** 2 + (kind != "gated") / 4
    return math.exp(-loss)


def main() -> None:
    """Computes and reports."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--kind", required=True)
    given = parser.parse_args()
    started = time.perf_counter()
    value = accuracy(given.rate, given.depth, given.kind)
    print(f"accuracy {value:.4f}")
    sigopt_orchestrate.report(accuracy=value, seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
