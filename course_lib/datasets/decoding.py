"""One image file as a viewer shows it: upright, in sRGB, on white, and by its depth."""

import contextlib
import functools
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

# Pillow knows these by their names only, writes them only, or asks other programs.
NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PALM", "PDF", "WMF"}
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of a TIFF
WHITE_IS_ZERO, SIGNED = 0, 2  # values of the last two
DARKEST_BYTES = 16  # floats above 1 that end below this may mean anything


class Crop(NamedTuple):
    """Cut the centre square of `side` out of images that must be width × height pixels."""

    width: int
    height: int
    side: int


@functools.cache
def suffixes() -> frozenset[str]:
    """The endings of the files that Pillow reads, in lower case with their dots."""
    kinds = Image.registered_extensions()
    return frozenset(end for end, kind in kinds.items() if kind not in NOT_READ)


def decode(
    data: bytes, *, size: int, channels: int, crop: Crop | None = None
) -> tuple[np.ndarray, bool]:
    """One image as uint8 (C, size, size), and whether it had to be resized.

    The largest centre square (or what `crop` says), resized with antialiasing. ValueError for an
    image that does not fit `crop` or has no known range; Pillow's errors for a damaged one.
    """
    with Image.open(io.BytesIO(data)) as file:
        image = as_shown(file, data).convert("L" if channels == 1 else "RGB")
    if crop and image.size != crop[:2]:
        raise ValueError("is {}×{}, not {}×{}".format(*image.size, *crop[:2]))
    resized = image.size != (size, size)
    if resized:
        side = crop.side if crop else min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        box = (left, top, left + side, top + side)
        image = image.crop(box).resize((size, size), Image.Resampling.LANCZOS)
    array = np.asarray(image)
    return (array[None] if channels == 1 else array.transpose(2, 0, 1)), resized


def as_shown(image: Image.Image, data: bytes) -> Image.Image:
    """The first picture of an open file in mode L or RGB. `data`: the file's bytes."""
    _scale_transparent_key(image, data)
    tags = getattr(image, "tag_v2", {})
    image.load()
    with contextlib.suppress(Exception):  # damaged metadata, which a viewer passes over
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F" or image.mode.startswith("I"):
        return _by_depth(image, tags)
    image = _in_srgb(image)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "L" else image.convert("RGB")


def _scale_transparent_key(image: Image.Image, data: bytes) -> None:
    """Pillow brings a PNG's pixels to 8 bits, but not the one value that is transparent."""
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None or image.mode not in ("L", "RGB"):
        return
    bits = data[24]  # per sample, in the header
    values = key if isinstance(key, tuple) else (key,)
    scaled = [v >> 8 if bits == 16 else v * 255 // (2**bits - 1) for v in values]
    image.info["transparency"] = tuple(scaled) if isinstance(key, tuple) else scaled[0]


def _by_depth(image: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    """Grey of more than 8 bits: integers by their depth, floats from 0 to 1 or from 0 to 255.

    ValueError for other values, of which a viewer could show anything.
    """
    values = np.asarray(image)
    if image.mode == "F":
        top = 255 if values.max() > DARKEST_BYTES else 1
    else:
        bits, signed = tags.get(BITS_PER_SAMPLE, (16,))[0], tags.get(SAMPLE_FORMAT) == (SIGNED,)
        values = values.view(np.uint32) if bits == 32 and not signed else values
        top = 2 ** (bits - signed) - 1
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= top):  # so that NaN is refused as well
        known = "0 to 1 or to 255" if image.mode == "F" else f"0 to {top:,}"
        raise ValueError(f"its values run from {low:g} to {high:g}, not from {known}")
    grey = np.rint(values * (255 / top)).astype(np.uint8)
    grey = 255 - grey if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else grey
    return Image.fromarray(np.where(values == image.info.get("transparency"), np.uint8(255), grey))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Mode L, RGB or RGBA, with the colours that the file's own profile means."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    change = _to_srgb(profile, image.mode) if profile or image.mode == "LAB" else None
    if change:
        return ImageCms.applyTransform(image, change)
    return image if image.mode in ("L", "RGBA") else image.convert("RGB")


@functools.lru_cache(maxsize=16)
def _to_srgb(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The change from a profile (None: CIELAB) to sRGB; None where there is none to make."""
    try:
        source = ImageCms.createProfile("LAB")
        if mode != "LAB":
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" in ImageCms.getProfileDescription(source):
                return None
        target = "RGBA" if mode == "RGBA" else "RGB"
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, target)
    except (ImageCms.PyCMSError, ImportError, OSError):  # damaged, or Pillow without littleCMS
        return None
