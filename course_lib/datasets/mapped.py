"""Tensors that stay on disk: pages come as they are read, and are given back."""

from __future__ import annotations

import json
import mmap
import weakref
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DTYPES = {"uint8": "U8", "int64": "I64", "float32": "F32"}  # NumPy's name to safetensors'
_OPEN: weakref.WeakKeyDictionary[mmap.mmap, range] = weakref.WeakKeyDictionary()  # addresses


def tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, without reading them; what is written to them is lost."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    whole = np.frombuffer(pages, np.uint8)
    start = whole.ctypes.data
    _OPEN[pages] = range(start, start + len(whole))
    found, numpy = {}, {theirs: ours for ours, theirs in DTYPES.items()}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in about["data_offsets"])
            array = whole[begin:end].view(numpy[about["dtype"]]).reshape(about["shape"])
            found[name] = torch.from_numpy(array)
    return found


def release(tensor: Tensor) -> None:
    """Give back the memory that reading a mapped tensor took; a later read takes it again.

    Else a training that visits all images has them all in memory in the end, in each process.
    Nothing where the tensor is no mapped file, or the system (Windows) has no such call.
    """
    if tensor.device.type == "cpu" and _OPEN and hasattr(mmap, "MADV_DONTNEED"):
        for pages, addresses in _OPEN.items():
            if tensor.data_ptr() in addresses:
                pages.madvise(mmap.MADV_DONTNEED)
