"""A bucket, whoever answers couriers from it, and what may go wrong on the way."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretend_aws import Aws

from sigopt_orchestrate.artifacts.answering import answer
from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.artifacts.courier.transfer import Courier
from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.store import AttemptFolder

PART = 16
_NOWHERE = Path("/nowhere")


@dataclass
class Kept:
    """A bucket, and couriers for attempts in it."""

    aws: Aws
    bucket: Bucket
    keeper: Keeper

    def courier(
        self, trial: int = 1, attempt: int = 1, cancelled: threading.Event | None = None
    ) -> Courier:
        folder = AttemptFolder(_NOWHERE / f"{trial:04d}" / str(attempt))
        return Courier(
            lambda asked: answer(self.keeper, folder, asked), patience_s=5, cancelled=cancelled
        )

    def read(self, key: str) -> bytes:
        found = self.bucket.call("get_object", Key=f"{self.keeper.keys.root}/{key}")
        with found["Body"] as body:
            return bytes(body.read())

    def names(self) -> list[str]:
        root = f"{self.keeper.keys.root}/"
        return [key.removeprefix(root) for key in self.bucket.keys(root)]


def fault_at(aws: Aws, number: int, fault: Callable[[], Any]) -> None:
    """Has `fault` say what becomes of the call with this number from now, from 0."""
    left = [number]

    def rule(_call: Any) -> Any:
        left[0] -= 1
        return fault() if left[0] == -1 else None

    aws.rule = rule
