"""An image arrives as a viewer would show it, whatever its mode and metadata, or is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from course_lib.datasets.decoding import as_shown, decode, suffixes

RAMP = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
RED, BLUE = (230, 20, 10), (10, 30, 200)


def saved(image, kind, **options) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seen(data, *, channels=3, size=8) -> np.ndarray:
    """(H, W, C) uint8, as the course would take the file."""
    return decode(data, size=size, channels=channels)[0].transpose(1, 2, 0)


def two(left, right=BLUE, mode="RGB", size=8) -> Image.Image:
    """A picture whose halves have two colours."""
    image = Image.new(mode, (size, size), left)
    image.paste(right, (size // 2, 0, size, size))
    return image


def png(width, height, *, depth, kind, rows, key=b"") -> bytes:
    """A PNG as other programs write it, with its transparent key."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = b"".join(b"\0" + row for row in rows)
    parts = [chunk(b"IHDR", head), chunk(b"tRNS", key) if key else b""]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [*parts, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    )


def tiff(values, *, bits, kind=1, white_is_zero=False, order="<") -> bytes:
    """A grey TIFF of one strip: kind 1 unsigned, 2 signed, 3 float."""
    data = values.tobytes() if isinstance(values, np.ndarray) else values
    height, width = 8, 8
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 0 if white_is_zero else 1),
               (273, 8), (277, 1), (278, height), (279, len(data)), (339, kind)]  # fmt: skip
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(entries))
    for tag, value in entries:
        directory += struct.pack(order + "HHII", tag, 4, 1, value)
    return mark + struct.pack(order + "I", 8 + len(data)) + data + directory + b"\0" * 4


WIDE = RAMP.astype(np.uint16) * 257


@pytest.mark.parametrize(
    "data",
    [
        saved(Image.fromarray(WIDE), "PNG"),
        saved(Image.fromarray(WIDE), "TIFF"),
        saved(Image.fromarray(WIDE), "PPM"),
        saved(Image.fromarray(WIDE), "JPEG2000"),
        tiff(WIDE.astype(">u2"), bits=16, order=">"),
        tiff(65535 - WIDE, bits=16, white_is_zero=True),
        tiff((RAMP.astype(np.uint32) * 16843009), bits=32),
        tiff((WIDE // 2).astype(np.int16), bits=16, kind=2),
        tiff(RAMP.astype(np.int32) * 8421504, bits=32, kind=2),
        tiff((RAMP / 255).astype(np.float32), bits=32, kind=3),
        tiff(RAMP.astype(np.float32), bits=32, kind=3),
        b"P5 8 8 1023\n" + (RAMP * (1023 / 255)).round().astype(">u2").tobytes(),
        b"Pf 8 8 -1.0\n" + (RAMP[::-1] / 255).astype("<f4").tobytes(),
        png(8, 8, depth=16, kind=2, rows=[np.repeat(r, 3).astype(">u2").tobytes() for r in WIDE]),
        png(8, 8, depth=16, kind=4, rows=[
            np.stack([r, np.full(8, 65535)], 1).astype(">u2").tobytes() for r in WIDE
        ]),
    ],
    ids=["png", "tiff", "pgm", "jp2", "big-endian", "white is zero", "uint32", "int16", "int32",
         "0 to 1", "0 to 255", "pgm 1023", "pfm", "rgb16", "la16"],
)  # fmt: skip
def test_depth(data):
    """Catches 16-bit and float images clipped to white, wrapped, or taken for black."""
    for channels in (1, 3):
        image = seen(data, channels=channels)
        assert image.shape == (8, 8, channels)
        assert np.abs(image.astype(int) - RAMP[:, :, None]).max() <= 1


def test_twelve_bits():
    """Catches a depth between 8 and 16 bits read as 16, which is nearly black."""
    values = (RAMP.astype(np.uint32) * 4095 // 255).ravel()
    pairs = values.reshape(-1, 2)
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs.tolist())
    assert np.abs(seen(tiff(packed, bits=12), channels=1)[:, :, 0].astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("low_high", [(-1, 1), (0, 3), (0, 300), (0, float("nan")), (-5, 200)])
def test_floats_of_no_known_range_are_refused(low_high):
    """Catches an image shown black or white because its scale was guessed."""
    values = np.zeros(64, dtype=np.float32)
    values[:2] = low_high
    with pytest.raises(ValueError, match="its values run from"):
        seen(tiff(values, bits=32, kind=3))


def test_a_dark_image_stays_dark():
    """Catches a scale taken from the image: integers have their depth, floats their two ranges."""
    assert seen(saved(Image.fromarray(WIDE // 100), "PNG")).max() <= 3
    assert seen(tiff((RAMP / 2550).astype(np.float32), bits=32, kind=3)).max() <= 26


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "1", "L", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF"])
def test_transparent_is_white(mode, kind):
    """Catches what is invisible shown in its hidden colour, mostly black."""
    if kind == "GIF" and mode not in ("P", "L", "1"):
        pytest.skip("no such GIF")
    grey = two(0, 150, "L")
    if mode in ("RGBA", "LA", "PA"):
        image = grey.convert("RGBA")
        image.putalpha(two(0, 255, "L"))
        image, options = (image if mode == "RGBA" else image.convert(mode)), {}
        if image.getchannel("A").getextrema() == (255, 255):
            pytest.skip(f"this Pillow makes no {mode} with transparent pixels")
    else:
        image, options = grey.convert(mode), {}
        if kind not in ("PNG", "GIF"):
            pytest.skip("no transparent key in this format")
        options = {"transparency": (0, 0, 0) if mode == "RGB" else image.getpixel((0, 0))}
    try:
        data = saved(image, kind, **options)
    except OSError as error:
        pytest.skip(str(error))
    picture = seen(data, channels=1)[:, :, 0]
    assert (picture[:, :3] > 250).all()
    right = 255 if mode == "1" else 150
    assert np.abs(picture[:, 5:].astype(int) - right).max() <= 6


@pytest.mark.parametrize(
    "data",
    [
        png(8, 1, depth=1, kind=0, rows=[b"\x0f"], key=b"\0\0"),
        png(8, 1, depth=2, kind=0, rows=[b"\x55\xaa"], key=b"\0\1"),
        png(8, 1, depth=4, kind=0, rows=[b"\x77\x77\x99\x99"], key=b"\0\7"),
        png(8, 1, depth=16, kind=0, rows=[b"\x12\x34" * 4 + b"\x99\x99" * 4], key=b"\x12\x34"),
        png(8, 1, depth=8, kind=2, rows=[b"\1\2\3" * 4 + b"\x99" * 12], key=b"\0\1\0\2\0\3"),
        png(8, 1, depth=16, kind=2, rows=[b"\1\0\2\0\3\0" * 4 + b"\x99" * 24],
            key=b"\1\0\2\0\3\0"),
    ],
    ids=["1 bit", "2 bits", "4 bits", "16 bits", "rgb", "rgb16"],
)  # fmt: skip
def test_transparent_key_at_every_depth(data):
    """Catches a key compared with pixels that have been brought to 8 bits."""
    with Image.open(io.BytesIO(data)) as file:
        row = np.asarray(as_shown(file, data).convert("L"))[0]
    assert (row[:4] == 255).all() and (row[4:] == row[7]).all()
    assert row[7] < 255 or data[24] == 1


def test_half_transparent_mixes_with_white():
    """Catches alpha that is only on or off."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert np.abs(seen(saved(image, "PNG")).astype(int) - 127).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "CMYK", "YCbCr", "LAB", "HSV"])
def test_colours_of_every_mode(mode):
    """Catches inverted, swapped or refused colours."""
    kind = "TIFF" if mode != "HSV" else "PNG"
    picture = two(RED)
    if mode == "LAB":
        change = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        data = saved(ImageCms.applyTransform(picture, change), kind)
    else:
        data = saved(picture.convert(mode).convert("RGB" if mode == "HSV" else mode), kind)
    try:
        Image.open(io.BytesIO(data)).load()
    except OSError as error:  # Pillow 11 and YCbCr: refused and counted, as any damaged file
        pytest.skip(f"this Pillow cannot read it: {error}")
    found = seen(data).astype(int)
    expected = picture.convert(mode) if mode in ("L", "P", "1") else picture
    expected = np.asarray(expected.convert("RGB")).astype(int)
    assert np.abs(found - expected).max() <= 6


def test_adobe_cmyk_jpeg():
    """Catches Adobe's JPEGs, which store ink inverted, as negatives."""
    data = saved(two(RED).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    found = seen(data).astype(int)
    assert np.abs(found[:, :3] - RED).max() <= 30 and np.abs(found[:, 5:] - BLUE).max() <= 30


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("size", [16, 8])
def test_upright(orientation, kind, size):
    """Catches a photograph on its side, of the right size or not, and one turned twice."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.new("L", (16, 16), 255)
    upright.paste(0, (0, 0, 8, 8))  # black at the top left
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(turns[orientation]) if orientation > 1 else upright
    found = seen(saved(stored, kind, exif=exif), channels=1, size=size)[:, :, 0]
    quarter = size // 2
    assert found[: quarter - 1, : quarter - 1].max() < 30
    assert found[quarter + 1 :].min() > 225 and found[:, quarter + 1 :].min() > 225


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_metadata_is_passed_over():
    """Catches an image refused for a remark in it that no viewer minds."""
    data = saved(two(RED), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", icc_profile=b"nonsense")
    assert np.abs(seen(data)[:, :3].astype(int) - RED).max() < 20


def test_profiles_are_brought_to_srgb():
    """Catches the dull colours of a wide-gamut photograph, and sRGB changed by its own profile."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    same = saved(two(RED), "PNG", icc_profile=bytes(profile))
    assert np.array_equal(seen(same), np.asarray(two(RED)))
    wide = swapped_profile(profile)
    for mode in ("RGB", "RGBA", "P"):
        found = seen(saved(two(RED).convert(mode), "PNG", icc_profile=wide))
        assert np.abs(found[0, 0].astype(int) - RED[::-1]).max() <= 26, mode  # red is blue there


def swapped_profile(profile) -> bytes:
    """The sRGB profile with the primaries of red and blue exchanged, under another name."""
    text = bytes(profile)
    for old, new in ((b"rXYZ", b"tmp0"), (b"bXYZ", b"rXYZ"), (b"tmp0", b"bXYZ")):
        assert old in text
        text = text.replace(old, new)
    return text.replace("sRGB".encode("utf-16-be"), "xxxx".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_picture_of_several(kind):
    """Catches the last frame, a mixture of frames, or a refusal."""
    frames = [two(c) for c in (RED, (0, 200, 0), (250, 250, 0))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.abs(seen(data).astype(int) - np.asarray(two(RED))).max() <= 6


def test_endings_of_images():
    """Catches an ending that Pillow reads and the course drops, and films or documents tried."""
    assert {".jpg", ".jfif", ".png", ".webp", ".tif", ".jp2", ".tga", ".pgm", ".ico",
            ".bmp", ".apng", ".psd", ".mpo", ".qoi"} <= suffixes()  # fmt: skip
    assert not {".mpg", ".pdf", ".h5", ".eps", ".svg", ".txt"} & suffixes()
