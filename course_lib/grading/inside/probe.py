"""Call a student's object on secret cases and sign what came out.

The signature says that this code made the record. It does not keep out code that takes Python
apart within the same process: hence the second run, in `alone`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import torch

from course_lib.exercises import EXERCISES

MISSING = object()


def encoder() -> Callable[[Any], str]:
    """Plain values to JSON text, by functions written in C: no change to `json` reaches them."""
    text = json.encoder.encode_basestring_ascii
    encode = json.encoder.c_make_encoder(None, str, text, None, ":", ",", False, False, True)
    return lambda value: "".join(encode(value, 0))


def signer(key: bytes) -> Callable[[str, Any], dict[str, str]]:
    """A function (name, content) → record: the content as JSON text, and its signature.

    Nobody sees the key who replaces parts of `json`, `hmac` or `hashlib` later.
    """
    encode, blake2b = encoder(), hashlib.blake2b

    def sign(name: str, content: Any) -> dict[str, str]:
        payload = encode(content)
        tag = blake2b(f"{name}\n{payload}".encode(), key=key, digest_size=32).hexdigest()
        return {"name": name, "payload": payload, "nonce": tag}

    return sign


def content_of(name: str, candidate: Any, seed: int) -> dict[str, Any]:
    """{"records": …}, {"missing": true}, or {"failed": why}; whatever the candidate does."""
    if candidate is MISSING:
        return {"missing": True}
    try:
        with torch.enable_grad():
            return {"records": EXERCISES[name].records(candidate, seed)}
    except KeyboardInterrupt:
        return {"failed": "it took too long"}
    except BaseException as error:
        return {"failed": f"it ended with {type(error).__name__}"[:200]}
