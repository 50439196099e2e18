"""Importing Avalanche beside a CPU build of torch, whose torchvision wheel lacks two operators."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import torch


@cache
def _library() -> Any:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def avalanche(room: str) -> Any:
    """Returns one of Avalanche's modules."""
    _library()
    return import_module(f"avalanche.{room}")
