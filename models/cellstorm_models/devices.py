"""Where networks train: on a GPU where torch sees one, else on the processor."""

from __future__ import annotations

import platform

import torch


def default_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def machine_name(device: torch.device) -> str:
    """For a card: the GPU, or the kind of processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
