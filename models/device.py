"""Devices by the names that configs give them."""

import torch

from models.errors import InputError


def device_of(key: str, name: str) -> torch.device:
    """As torch names it: cpu, cuda, cuda:1, ... InputError where it is not there; `key` is the config's."""
    try:
        return torch.zeros(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(key, f"{name!r} is not there", "name a device that torch finds, or cpu") from error
