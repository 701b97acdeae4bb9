"""`ConvAutoencoder(channels, size, latent_dim)`: convolutions each way and a real bottleneck."""

from __future__ import annotations

import torch

from course_lib.exercises.convolutional_autoencoder.autoencoder_hints import AUTOENCODER_HINTS
from course_lib.exercises.convolutional_autoencoder.observe_autoencoder import observe_autoencoder
from course_lib.exercises.convolutional_autoencoder.wrong_autoencoders import (
    Listed,
    autoencoder,
    decode_rightly,
    dense_down,
    dense_up,
    down,
    down_turned,
    dropped,
    mixed,
    remembering,
    standardised,
    up,
    up_once,
    up_too_small,
    with_memory,
)
from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    d = 6 + int(torch.randint(0, 8, (), generator=g))
    sizes = [
        ("grey images of 28 × 28", 1, 28, d),
        ("colour images of 20 × 28", 3, (20, 28), d + 1),
        ("colour images of 32 × 32", 3, 32, d + 3),
        ("grey images of 64 × 24", 1, (64, 24), d + 2),
    ]
    return [Case(about, dict(zip(("channels", "size", "latent_dim"), args, strict=True)))
            for about, *args in sizes]  # fmt: skip


HINTS = AUTOENCODER_HINTS
SIGMOID = " A sigmoid at the end of `decode` maps any number into (0, 1)."
SHAPES = (
    Mistake("H and W swapped", autoencoder(gives=lambda C, h, w, d: (C, w, h, d)), "The decoded "
            "image is turned on its side, (B, C, W, H). Height comes first where you unflatten."),
    Mistake("H and W swapped in the encoder",
            autoencoder(layers=(down_turned, up)), HINTS["encode takes H before W"]),
    Mistake("H for both sides", autoencoder(takes=lambda C, h, w, d: (C, h, h, d),
            gives=lambda C, h, w, d: (C, h, h, d)),
            HINTS["encode takes images that are not square"]),
    Mistake("W for both sides", autoencoder(takes=lambda C, h, w, d: (C, w, w, d),
            gives=lambda C, h, w, d: (C, w, w, d)),
            HINTS["encode takes images that are not square"]),
    Mistake("28 hard-coded", autoencoder(takes=lambda C, h, w, d: (C, 7, 7, d),
            gives=lambda C, h, w, d: (C, 7, 7, d)), HINTS["encode takes other sizes than 28"]),
    Mistake("28 hard-coded in the decoder", autoencoder(gives=lambda C, h, w, d: (C, 7, 7, d)),
            "`decode` always writes 28 × 28 pixels: compute its first size from H and W."),
    Mistake("one channel hard-coded", autoencoder(takes=lambda C, *sizes: (1, *sizes),
            gives=lambda C, *sizes: (1, *sizes)), HINTS["encode takes C channels"]),
    Mistake("one channel hard-coded in the decoder",
            autoencoder(gives=lambda C, *sizes: (1, *sizes)),
            "`decode` writes one channel only: use `channels` in its last layer."),
    Mistake("32 numbers hard-coded", autoencoder(takes=lambda C, h, w, d: (C, h, w, 32),
            gives=lambda C, h, w, d: (C, h, w, 32)),
            "Your code always has 32 numbers: use `latent_dim`."),
    Mistake("spatial code", autoencoder(layers=(lambda *a: down(*a)[:4], lambda *a: up(*a)[3:])),
            "Your code is a stack of feature maps, (B, c, H/4, W/4), and compresses little or "
            "nothing. Flatten it, and map it to `latent_dim` numbers with `nn.Linear`."),
    Mistake("flattened features", autoencoder(layers=(lambda *a: down(*a)[:5], lambda *a: up(*a))),
            "Your code holds all feature maps, more numbers than the image may have pixels. Map "
            "them to `latent_dim` numbers with `nn.Linear`."),
    Mistake("whole batch flattened", autoencoder(encode=lambda m, x: m.encoder(x).flatten()),
            "Your code has lost its batch: `.flatten()` flattens dimension 0 too. `.flatten(1)` "
            "or `nn.Flatten()` keep it."),
    Mistake("channels into the batch", autoencoder(
            encode=lambda m, x: m.encoder(x.reshape(-1, 1, m.H, m.W)),
            takes=lambda C, *sizes: (1, *sizes)), "Channels have become images of their own: the "
            "first convolution takes all `channels` of an image."),
    Mistake("two things returned", autoencoder(encode=lambda m, x: (m.encoder(x), x.shape)),
            HINTS["the code is a tensor"]),
    Mistake("no output padding", autoencoder(layers=(down, up_too_small)), "The decoded image is a "
            "few pixels too small: 7 → 13 → 25. Check each side with `conv_transpose_out`; a "
            "kernel of 3 at stride 2 needs an output padding."),
    Mistake("one doubling", autoencoder(layers=(down, up_once)), "The decoded image has half of "
            "the side it should have: two halvings on the way down need two doublings back."),
    Mistake("flat image", autoencoder(decode=lambda m, z: decode_rightly(m, z).flatten(1)),
            "The decoded image is one long row. Give it back its shape, (B, C, H, W)."),
    Mistake("squeezed", autoencoder(encode=lambda m, x: m.encoder(x).squeeze(0)),
            HINTS["a batch of one"]),
)  # fmt: skip
BATCH = (
    Mistake("batch statistics", autoencoder(encode=lambda m, x: m.encoder(standardised(x))),
            HINTS["each image by itself"]),
    Mistake("brightest image of the batch", autoencoder(encode=lambda m, x: m.encoder(x / x.max())),
            HINTS["each image by itself"]),
    Mistake("codes standardised", autoencoder(encode=lambda m, x: standardised(m.encoder(x))),
            "You standardise the codes over the batch, so the code of an image depends on the "
            "images beside it. Leave them as they are."),
    Mistake("images mixed by a reshape", autoencoder(encode=lambda m, x: mixed(m.encoder(x))),
            HINTS["each image by itself"]),
    Mistake("codes mixed by a reshape",
            autoencoder(decode=lambda m, z: decode_rightly(m, mixed(z))),
            HINTS["each code by itself"]),
    Mistake("scaled over the batch", autoencoder(decode=lambda m, z: (
            lambda y: (y - y.min()) / (y.max() - y.min()))(m.decoder(z))),
            HINTS["each code by itself"]),
    Mistake("dropout that stays on", autoencoder(encode=lambda m, x: m.encoder(dropped(x))),
            "`F.dropout` is random in evaluation mode too. Use `nn.Dropout`, which `eval()` "
            "switches off, or leave it out."),
)  # fmt: skip
CODE = (
    Mistake("code ignored", autoencoder(decode=lambda m, z: decode_rightly(m, 0 * z)),
            HINTS["the code reaches the image"]),
    Mistake("first number only", autoencoder(decode=lambda m, z: decode_rightly(
            m, z * (torch.arange(z.shape[1]) < 1))), HINTS["every number of the code counts"]),
    Mistake("image ignored", autoencoder(encode=lambda m, x: m.encoder(0 * x)),
            HINTS["the image reaches the code"]),
    Mistake("random code", autoencoder(encode=lambda m, x: torch.randn(len(x), m.d)),
            "The code is random. It is computed from the image: return what the layers give."),
    Mistake("first channel only", autoencoder(encode=lambda m, x: m.encoder(x[:, :1]),
            takes=lambda C, *sizes: (1, *sizes)), HINTS["every channel reaches the code"]),
    Mistake("image handed past the code", autoencoder(encode=remembering, decode=with_memory),
            HINTS["decode knows the code alone"]),
    Mistake("sigmoid in the code", autoencoder(encode=lambda m, x: m.encoder(x).sigmoid()),
            "Every number of the code lies in (0, 1), as after a sigmoid. The sigmoid belongs to "
            "the image, at the end of `decode`; a code takes any value."),
    Mistake("tanh in the code", autoencoder(encode=lambda m, x: m.encoder(x).tanh()),
            HINTS["the code is unbounded"]),
    Mistake("ReLU in the code", autoencoder(encode=lambda m, x: m.encoder(x).relu()),
            HINTS["the code takes both signs"]),
    Mistake("code detached", autoencoder(encode=lambda m, x: m.encoder(x).detach()),
            HINTS["gradients reach every parameter"]),
    Mistake("a layer without use", autoencoder(unused=True),
            HINTS["gradients reach every parameter"]),
)  # fmt: skip
IMAGE = (
    Mistake("no sigmoid", autoencoder(decode=lambda m, z: m.decoder(z)),
            "The image leaves [0, 1] on both sides: no activation ends it." + SIGMOID),
    Mistake("tanh", autoencoder(decode=lambda m, z: m.decoder(z).tanh()),
            "A tanh ends at −1 and 1, pixels at 0 and 1." + SIGMOID),
    Mistake("ReLU at the end", autoencoder(decode=lambda m, z: m.decoder(z).relu()),
            "A ReLU keeps the image above 0, not below 1." + SIGMOID),
    Mistake("ReLU before the sigmoid",
            autoencoder(decode=lambda m, z: m.decoder(z).relu().sigmoid()),
            HINTS["values below one half"]),
    Mistake("sigmoid twice", autoencoder(decode=lambda m, z: m.decoder(z).sigmoid().sigmoid()),
            HINTS["values below one half"]),
)  # fmt: skip
LAYERS = (
    Mistake("plain lists", autoencoder(hold=Listed), HINTS["its layers are registered"]),
    Mistake("fully connected", autoencoder(layers=(dense_down, dense_up)), "There is no "
            "convolution at all, only linear layers: use `nn.Conv2d` on the way down, and on the "
            "way up with an upsampling, or `nn.ConvTranspose2d`."),
    Mistake("fully connected encoder", autoencoder(layers=(dense_down, up)),
            HINTS["a convolution in encode"]),
    Mistake("fully connected decoder", autoencoder(layers=(down, dense_up)),
            HINTS["a convolution in decode"]),
    Mistake("no module", lambda channels, size, latent_dim: object(), HINTS["it is an nn.Module"]),
)  # fmt: skip


EXERCISE = Exercise(
    "ConvAutoencoder",
    3,
    cases,
    SHAPES + BATCH + CODE + IMAGE + LAYERS,
    observe=observe_autoencoder,
    property_hints=HINTS,
)
