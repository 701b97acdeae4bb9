"""Wrong answers to `corrupt`, and the hint for each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.exercises.convolutional_autoencoder.damage import HINTS
from course_lib.exercises.convolutional_autoencoder.observe_corruption import GENERATOR_HINTS
from course_lib.exercises.convolutional_autoencoder.wrong_corruptions import (
    centred,
    changed,
    corner,
    cross,
    fixed,
    global_,
    global_seeded,
    in_place,
    middle,
    noise,
    only,
    pixels,
    rewound,
    shot,
    square,
    without,
)
from course_lib.exercises.spec import Mistake

FOLLOW, OTHER, GO_ON, STAY = GENERATOR_HINTS.values()
COPY = (
    "Your code changes the images that it is given: a function without a trailing underscore "
    "makes a new tensor, or start from `x.clone()`."
)
SIDE = "The side is level times the *shorter* side of the image, rounded to the nearest number."
UNIFORM = "`torch.rand` is uniform on [0, 1). Gaussian noise comes from `torch.randn`."
PLACES = (
    "The square never reaches the {}. The upper end of `torch.randint` is not drawn itself: there "
    "are H − side + 1 rows to begin at, and W − side + 1 columns."
)
CLAMP = "The noise takes pixels out of [0, 1]: clamp the result{}."
SQUASHED = (
    "The result is rescaled or squashed into [0, 1], which changes every pixel, at level 0 as "
    "well. Clamp it: only what leaves [0, 1] is to change."
)
FILL = "The square has another colour. Fill it with 0, whatever the image is like."
WHITE = "Among the pixels hit, half become white: {}."

GENERAL = (
    Mistake("generator ignored", changed(global_), FOLLOW),
    *(
        Mistake(f"generator ignored in {kind}", without(kind),
                f"`{kind}` draws without the generator: pass `generator=generator` to every "
                "function that draws.")
        for kind in ("gaussian", "mask", "salt_pepper")
    ),
    Mistake("fixed seed", changed(fixed), OTHER),
    Mistake("generator set back", changed(rewound), GO_ON),
    Mistake("global numbers seeded", changed(global_seeded), STAY),
    *(
        Mistake(f"{kind} in place", in_place(kind), COPY)
        for kind in ("gaussian", "mask", "salt_pepper")
    ),
    Mistake(
        "always gaussian",
        changed(lambda x, kind, level, g: (x, "gaussian", level, g)),
        "Every kind gives Gaussian noise: `kind` is never looked at.",
    ),
    Mistake(
        "level in per cent",
        changed(lambda x, kind, level, g: (x, kind, level / 100, g)),
        "The damage is 100 times too weak: `level` is no percentage.",
    ),
    Mistake(
        "float32 returned",
        changed(lambda x, kind, level, g: (x.float(), kind, level, g)),
        "The result is float32 whatever x is: keep the dtype of x.",
    ),
)  # fmt: skip
GAUSSIAN = (
    Mistake("noise not clamped", noise(end=lambda y: y), CLAMP.format("")),
    Mistake("clamped from below", noise(end=lambda y: y.clamp(min=0)), CLAMP.format(" at 1, too")),
    Mistake("clamped from above", noise(end=lambda y: y.clamp(max=1)), CLAMP.format(" at 0, too")),
    Mistake("wrapped round", noise(end=lambda y: y % 1), "What rises above 1 comes back as dark. "
            "Clamp the result, so that it stops at white."),
    Mistake(
        "rescaled",
        noise(end=lambda y: (y - y.min()) / (y.max() - y.min())),
        SQUASHED,
    ),
    Mistake("squashed", noise(end=torch.sigmoid), SQUASHED),
    Mistake("level is the variance", noise(size=lambda level: level**0.5), "Your noise has the "
            "variance `level`. Its standard deviation is to be `level`: multiply without a root."),
    Mistake("level squared", noise(size=lambda level: level**2), "You multiply the noise by the "
            "square of `level`. The standard deviation is `level`."),
    Mistake("uniform noise", noise(torch.rand),
            f"{UNIFORM} Yours also makes every image brighter."),
    Mistake("uniform noise, centred",
            noise(lambda *a, **k: torch.rand(*a, **k) - 0.5), UNIFORM),
    Mistake("uniform noise from −1 to 1",
            noise(lambda *a, **k: 2 * torch.rand(*a, **k) - 1), UNIFORM),
    Mistake("uniform noise of the right spread",
            noise(lambda *a, **k: 12**0.5 * (torch.rand(*a, **k) - 0.5)), UNIFORM),
    Mistake("noise only brightens", noise(lambda *a, **k: torch.randn(*a, **k).abs()), "Your noise "
            "is never negative. Gaussian noise is symmetric about 0."),
    Mistake("noise times image", only("gaussian", lambda x, level, g: (
            x * (1 + level * torch.randn(x.shape, generator=g, dtype=x.dtype))).clamp(0, 1)),
            "You multiply the image by the noise, so dark pixels get none. Add it."),
    Mistake("image fades", only("gaussian", lambda x, level, g: ((1 - level) * x
            + level * torch.randn(x.shape, generator=g, dtype=x.dtype)).clamp(0, 1)),
            "You mix image and noise, and the image fades. Add the noise to the whole image."),
    Mistake("noise alone", only("gaussian", lambda x, level, g: (
            level * torch.randn(x.shape, generator=g, dtype=x.dtype)).clamp(0, 1)),
            "You return the noise without the image. Add the two."),
    Mistake("one noise for the batch", noise(shape=lambda x: x.shape[1:]),
            HINTS["each image has its own noise"]),
    Mistake("one noise for the channels", noise(shape=lambda x: (len(x), 1, *x.shape[2:])),
            HINTS["each channel has its own noise"]),
    Mistake("one number per image", noise(shape=lambda x: (len(x), 1, 1, 1)), "Every pixel of an "
            "image gets the same number, which makes it brighter or darker. Draw one for each."),
)  # fmt: skip
MASK = (
    Mistake("side rounded down", square(lambda level, H, W: (int(level * min(H, W)),) * 2),
            "`int` cuts off: 6.6 becomes 6. The side is rounded to the nearest number."),
    Mistake("side rounded up", square(lambda level, H, W: (math.ceil(level * min(H, W)),) * 2),
            "You round up: 6.3 becomes 7. The side is rounded to the nearest number."),
    Mistake("level of the area", square(lambda level, H, W: (
            round(level**0.5 * min(H, W)),) * 2), "You hide the share `level` of the area. Here it "
            "is a share of the shorter side, without a root."),
    Mistake("longer side", square(lambda level, H, W: (min(round(level * max(H, W)), H, W),) * 2),
            SIDE),
    Mistake("always the height", square(lambda level, H, W: (min(round(level * H), W),) * 2), SIDE),
    Mistake("always the width", square(lambda level, H, W: (min(round(level * W), H),) * 2), SIDE),
    Mistake("rectangle", square(lambda level, H, W: (round(level * H), round(level * W))),
            "You hide a rectangle of the image's shape. Both sides follow the shorter one."),
    Mistake("half a side each way", square(lambda level, H, W: (
            2 * (round(level * min(H, W)) // 2),) * 2), "An odd side loses a row: `side // 2` on "
            "both sides of a centre makes it even. Start from a corner instead."),
    Mistake("in the middle", square(draw=middle), "The square is always in the middle. Draw its "
            "place, for each image by itself."),
    Mistake("in the corner", square(draw=corner), "The square is always in the top left corner. "
            "Draw its place, for each image by itself."),
    Mistake("near the middle", square(draw=centred), HINTS["all places equally often"]),
    Mistake("one place for the batch", square(one=True), HINTS["each image has its own place"]),
    Mistake("a place per channel", square(per_channel=True),
            HINTS["it is cut out of all channels"]),
    Mistake("last row and column left out", square(places=lambda H, W, h, w: (
            max(1, H - h), max(1, W - w))), PLACES.format("bottom edge or the right one")),
    Mistake("last row left out", square(places=lambda H, W, h, w: (
            max(1, H - h), W - w + 1)), PLACES.format("bottom edge")),
    Mistake("last column left out", square(places=lambda H, W, h, w: (
            H - h + 1, max(1, W - w))), PLACES.format("right edge")),
    Mistake("no place for the largest", square(places=lambda H, W, h, w: (H - h, W - w)),
            "At level 1 no place is left to draw from. " + PLACES.format("edges")),
    Mistake("begins anywhere", square(places=lambda H, W, h, w: (H, W)), "A square that begins too "
            "far down or right is cut off by the edge. Leave room for its side."),
    Mistake("rows and columns exchanged", square(places=lambda H, W, h, w: (
            W - w + 1, H - h + 1)), "Rows are drawn from the width and columns from the height: in "
            "images that are not square the place does not fit."),
    Mistake("grey square", square(fill=lambda x: 0.5), FILL),
    Mistake("white square", square(fill=lambda x: 1.0), FILL),
    Mistake("square of the mean", square(fill=Tensor.mean), FILL),
    Mistake("square kept", square(keep=True), "You hide everything but the square. Turn the mask "
            "round."),
    Mistake("cross", only("mask", cross), "You hide whole rows and whole columns, a cross. A pixel "
            "of the square is in its rows *and* in its columns: `&`, not `|`."),
    Mistake("single pixels hidden", only("mask", pixels), "You hide single pixels. Each image is "
            "to lose one square."),
)  # fmt: skip
SALT_PEPPER = (
    Mistake("twice as many", shot(hit=lambda r, level: (r < level) | (r > 1 - level),
            white=lambda r, s: r < 0.5), "Twice as many pixels are hit as there should be: `level` "
            "is the share of black and white together."),
    Mistake("half as many", shot(hit=lambda r, level: r < level / 2), "Half as many pixels are hit "
            "as there should be: `level` is the share of black and white together."),
    Mistake("hit and kept exchanged", shot(hit=lambda r, level: (r > level) & (level > 0)),
            "You replace the share 1 − level and keep the rest. Turn the comparison round."),
    Mistake("one draw for both", shot(white=lambda r, s: r < 0.5), WHITE.format(
            "one random number decides both, whether a pixel is hit and its colour. Draw two")),
    Mistake("salt only", shot(white=lambda r, s: s >= 0), WHITE.format("yours all do")),
    Mistake("pepper only", shot(white=lambda r, s: s < 0), WHITE.format("none of yours does")),
    Mistake("a channel at a time", shot(hits=lambda B, C: (B, C), whites=lambda B, C: (B, C)),
            HINTS["all channels are hit together"]),
    Mistake("channels hit apart", shot(hits=lambda B, C: (B, C)),
            HINTS["all channels are hit together"]),
    Mistake("coloured", shot(whites=lambda B, C: (B, C)), HINTS["all channels get one value"]),
    Mistake("same pixels in every image", shot(hits=lambda B, C: (1, 1)),
            HINTS["each image has its own pixels"]),
    Mistake("same damage in every image",
            shot(hits=lambda B, C: (1, 1), whites=lambda B, C: (1, 1)),
            HINTS["each image has its own pixels"]),
    Mistake("random grey", only("salt_pepper", lambda x, level, g: torch.where(
            torch.rand(len(x), 1, *x.shape[2:], generator=g) < level,
            torch.rand(len(x), 1, *x.shape[2:], generator=g).to(x), x)),
            HINTS["hit pixels become 0 or 1"]),
    Mistake("nearly black and white", shot(values=(0.1, 0.9)), HINTS["hit pixels become 0 or 1"]),
    Mistake("−1 and 1", shot(values=(-1.0, 1.0)), "Pixels that are hit become −1 or 1. Pixels live "
            "in [0, 1]: black is 0."),
    Mistake("0 and 255", shot(values=(0.0, 255.0)), "Pixels that are hit become 0 or 255. Pixels "
            "live in [0, 1]: white is 1."),
)  # fmt: skip
MISTAKES = GENERAL + GAUSSIAN + MASK + SALT_PEPPER
