"""A GPU that is not there: tensors remember a device, compute on the CPU, and mix with no other.

`with FakeDevice("cuda")` offers one to everything in PyTorch that is called from Python. As on a
real one, tensors of two devices meet only where one is a single number on the CPU; a generator
belongs to a device; NumPy sees only what was brought back; and "mps" holds no float64.
"""

from __future__ import annotations

import contextlib
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from course_lib import devices

CPU = torch.device("cpu")
MEMORY_BYTES = 2**34
WIDE = (torch.float64, torch.complex128)
MOVES = {"to", "cpu", "cuda", "copy_", "type_as", "_to"}  # between devices
# What looks at the other tensor's shape or kind alone, or at each tensor alone.
APART = {"expand_as", "view_as", "reshape_as", "broadcast_tensors", "set_data", "result_type",
         "_has_compatible_shallow_copy_type", "can_cast", "is_same_size"}  # fmt: skip
# Where a single number is no exception.
JOINS = {"cat", "stack", "hstack", "vstack", "concat", "concatenate", "matmul", "mm", "bmm",
         "linear", "conv2d", "__matmul__", "embedding"}  # fmt: skip


def device_of(tensor: Tensor) -> torch.device:
    """Where this tensor is said to be."""
    return getattr(tensor, "_fake", CPU)


def tensors_in(value) -> list[Tensor]:
    """All tensors in this value and what it holds; `tree_flatten` takes ten times as long."""
    if isinstance(value, Tensor):
        return [value]
    if not isinstance(value, (list, tuple, dict)):
        return []
    parts = value.values() if isinstance(value, dict) else value
    return [x for part in parts for x in tensors_in(part)]


class FakeDevice(TorchFunctionMode):
    """All of PyTorch with one more device of this kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.device, self.patches = torch.device(kind, 0), contextlib.ExitStack()

    def __enter__(self):
        """The course sees the device, whose random numbers are those of the CPU."""
        for name, value in (
            ("_offered", lambda: {self.device.type: ""}),
            ("_free_bytes", lambda device: MEMORY_BYTES if device.type == self.device.type else 0),
            ("generators", lambda device: [torch.default_generator]),
        ):
            self.patches.enter_context(mock.patch.object(devices, name, value))
        return super().__enter__()

    def __exit__(self, *error):
        """As it was."""
        self.patches.close()
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """What `func` gives, on the device on which its tensors are."""
        kwargs, name = dict(kwargs or {}), self.name_of(func)
        if func is torch.device:
            return func(*args, **kwargs)
        tensors = tensors_in((args, kwargs))
        if name in ("device", "is_cuda", "is_mps", "is_cpu", "get_device"):
            return self.told(name, args[0], func)
        if name in ("numpy", "__array__") and device_of(args[0]) != CPU:
            raise TypeError(f"can't convert {self.device} device type tensor to numpy")
        if name == "grad" and func is not torch.autograd.grad and tensors:
            return self.mark(func(*args, **kwargs), device_of(args[0]))
        target, args, kwargs = self.target(name, args, kwargs)
        if target is None and name != "set_data" and all(device_of(x) == CPU for x in tensors):
            return func(*args, **kwargs)
        here = self.common(name, args, tensors)
        self.refuse_generators(name, args, kwargs, target or here)
        result = func(*args, **kwargs)
        return self.placed(name, result, args, target=target, here=here)

    @staticmethod
    def name_of(func) -> str:
        """A function's name; of a property the property's, with `set_` where it is set."""
        name = getattr(func, "__name__", "")
        if name in ("__get__", "__set__"):
            owner = getattr(func.__self__, "__name__", "")
            return owner if name == "__get__" else f"set_{owner}"
        return name

    def told(self, name, tensor, func):
        """What a tensor says of its device."""
        device = device_of(tensor)
        if name == "get_device":
            return -1 if device == CPU else 0
        return device if name == "device" else device.type == name[3:]

    def target(self, name, args, kwargs):
        """The device that a call names, and the call without it."""
        target = None

        def plain(x):
            nonlocal target
            if isinstance(x, torch.device) or (isinstance(x, str) and x in ("cpu", "cuda", "mps")):
                x = torch.device(x)
                assert x.type in ("cpu", self.device.type), f"there is no {x}"
                target = CPU if x.type == "cpu" else self.device
                return CPU
            return x

        if kwargs.get("device") is not None:
            kwargs["device"] = plain(kwargs["device"])
        if name == "to":
            args = (args[0], *map(plain, args[1:]))
            if len(args) > 1 and isinstance(args[1], Tensor):
                target = device_of(args[1])
        if name in ("cpu", self.device.type):
            target = CPU if name == "cpu" else self.device
        if name == "type_as":
            target = device_of(args[1])
        return target, args, kwargs

    def common(self, name, args, tensors):
        """The device of a call's tensors; an error where there are two."""
        found = {device_of(x) for x in tensors}
        if len(found) < 2:
            return found.pop() if found else CPU
        first = device_of(args[0]) if isinstance(args[0], Tensor) else None
        if name in MOVES | APART:
            return first or CPU
        if name in ("__getitem__", "__setitem__") and first == self.device:
            _, index, *value = args
            plain = not tensors_in(index)
            if all(device_of(x) == first or plain or x.ndim == 0 for x in value):
                return first
        numbers = [x for x in tensors if device_of(x) == CPU and x.ndim == 0]
        others = [x for x in tensors if device_of(x) == CPU and x.ndim > 0]
        changes = (name.endswith("_") and not name.endswith("__")) or name[:3] == "__i"
        if others or not numbers or name in JOINS or (changes and first == CPU):
            raise RuntimeError(f"{name}: Expected all tensors to be on the same device, but found "
                               f"at least two devices, {self.device} and cpu!")  # fmt: skip
        return self.device

    def refuse_generators(self, name, args, kwargs, device):
        """Random numbers come from a generator of the same device."""
        for x in (*args, *kwargs.values()):
            if isinstance(x, torch.Generator) and device != CPU:
                raise RuntimeError(f"{name}: Expected a '{device.type}' generator but found 'cpu'")

    def placed(self, name, result, args, *, target, here):
        """The result with its device, a copy where it has moved."""
        if name == "set_data":
            self.mark(args[0], device_of(args[1]))
        if name == "tensor" and args and not isinstance(args[0], Tensor):
            here = CPU  # made of numbers
        if name == "broadcast_tensors":
            given = args[0] if isinstance(args[0], (list, tuple)) else args
            return type(result)(map(self.mark, result, map(device_of, given)))
        device = here if target is None else target
        if name in MOVES and result is args[0] and device_of(result) != device:
            result = result.clone()  # on one device `to` returns the tensor itself
        for x in tensors_in(result):
            self.mark(x, device)
        return result

    def mark(self, tensor, device):
        """The tensor, which says from now on that it is there."""
        if isinstance(tensor, Tensor):
            if device.type == "mps" and tensor.dtype in WIDE:
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
            tensor._fake = device
        return tensor
