"""Models as pictures: who makes what of what, and where gradients go."""

from __future__ import annotations

import random

from course_lib.diagrams.drawing import GREY, Diagram, Sheet
from course_lib.plots.style import BLACK, BLUE, GREEN, ORANGE, VERMILION

SYMBOL = 21  # size of a variable's name
OBSERVED = "#D0D0D0"


def autoencoder() -> Diagram:
    """x → encoder → code z of n numbers → decoder → x̂, and the loss that compares x̂ with x."""
    sheet, y = Sheet(290), 118
    sheet.text(62, y, "x", maths=True, size=SYMBOL + 5)
    sheet.hat(658, y, "x", size=SYMBOL + 5)
    for x, words in ((62, "image"), (658, "its copy")):
        sheet.box(x, y, 60, 150, colour=GREY)
        sheet.text(x, 22, words)
        sheet.text(x, 210, "D numbers")
    sheet.trapezium(212, y, 136, left=150, right=66, colour=BLUE)
    sheet.trapezium(508, y, 136, left=66, right=150, colour=GREEN)
    for x, name in ((212, "encoder"), (508, "decoder")):
        sheet.text(x, y, name, bold=True)
    sheet.box(360, y, 34, 66, colour=ORANGE)
    sheet.text(360, y, "z", maths=True, size=SYMBOL + 5)
    sheet.text(360, 66, "code")
    sheet.text(360, 170, "n numbers\nn < D")
    for x1, x2 in ((94, 142), (282, 341), (379, 438), (578, 626)):
        sheet.arrow(x1, y, x2, y)
    for x in (62, 658):
        sheet.arrow(x, 226, x, 258, head=False, colour=GREY, dashed=True)
    for x1, x2 in ((62, 238), (658, 482)):
        sheet.arrow(x1, 258, x2, 258, colour=GREY, dashed=True)
    sheet.text(360, 258, "loss: how far is x̂ from x?")
    return sheet.finish(
        "An autoencoder",
        "An image x of D numbers goes into the encoder, which narrows to the code z of n numbers, "
        "fewer than D: the bottleneck. The decoder widens from z to the copy x̂ of D numbers. "
        "The loss compares x̂ with x. What the decoder knows about x has passed through z.",
    )


def graphical_model() -> Diagram:
    """The VAE: z → x in a plate of N images, θ outside it; dashed what the encoder adds, q(z|x)."""
    sheet = Sheet(330)
    sheet.box(200, 166, 190, 288, colour=GREY, fill="none", round=10)
    sheet.text(279, 292, "N", maths=True, size=SYMBOL, colour=GREY)
    z, x = (200, 80), (200, 240)
    sheet.circle(*z, 32, colour=BLACK, fill="white")
    sheet.circle(*x, 32, colour=BLACK, fill=OBSERVED)
    sheet.text(*z, "z", maths=True, size=SYMBOL + 3)
    sheet.text(*x, "x", maths=True, size=SYMBOL + 3)
    sheet.arrow(213, 109, 213, 210, colour=GREEN)
    sheet.arrow(182, 213, 182, 107, colour=BLUE, dashed=True)
    for at, name, colour in ((350, "θ", GREEN), (44, "φ", BLUE)):
        sheet.text(at, 162, name, maths=True, size=SYMBOL + 3, colour=colour)
    sheet.arrow(337, 170, 231, 227, colour=GREEN)
    sheet.arrow(58, 152, 169, 93, colour=BLUE, dashed=True)
    _key(sheet)
    return sheet.finish(
        "A VAE as a graphical model",
        "In a plate that stands for N images, a solid arrow leads from the code z, an open circle "
        "as it is never seen, to the image x, a shaded circle. θ, outside the plate, points at x: "
        "the decoder p_θ(x|z), with the prior p(z) = N(0, I). Dashed arrows lead from x and from "
        "φ, also outside, to z: the encoder q_φ(z|x), which approximates the posterior.",
    )


def _key(sheet: Sheet) -> None:
    """What the marks of the graphical model stand for."""
    lines = [
        (62, "drawn from the prior p(z) = N(0, I)", "never seen"),
        (138, "p_θ(x|z), the decoder", "generation"),
        (214, "q_φ(z|x), the encoder", "approximates the posterior"),
        (290, "N images, each with a z of its own", "θ and φ are shared by all"),
    ]
    for y, first, second in lines:
        sheet.text(446, y - 12, first, anchor="start", size=SYMBOL - 1 if "_" in first else 16)
        sheet.text(446, y + 12, second, anchor="start", colour=GREY)
    sheet.circle(414, 62, 14, colour=BLACK, fill="white")
    sheet.arrow(399, 138, 431, 138, colour=GREEN)
    sheet.arrow(431, 214, 399, 214, colour=BLUE, dashed=True)
    sheet.box(414, 290, 30, 28, colour=GREY, fill="none")


def reparameterization() -> Diagram:
    """Two graphs: drawing z blocks the gradient; with ε from outside it reaches μ and σ."""
    sheet = Sheet(400)
    sheet.text(180, 20, "z is drawn", bold=True, size=17)
    sheet.text(540, 20, "z is computed, ε is drawn", bold=True, size=17)
    sheet.arrow(360, 8, 360, 350, head=False, colour="#BBBBBB")
    _drawn_code(sheet, 180)
    _computed_code(sheet, 540)
    sheet.arrow(150, 380, 200, 380)
    sheet.text(210, 380, "forward", anchor="start")
    sheet.arrow(460, 380, 410, 380, colour=VERMILION, dashed=True)
    sheet.text(470, 380, "backward: the gradient", anchor="start")
    return sheet.finish(
        "The reparameterization trick",
        "Two graphs. Left: μ and σ lead to z, which is drawn from N(μ, σ²), and z to the loss. "
        "The gradient goes back from f to z and stops there, as drawing has no derivative. "
        "Right: ε is drawn from N(0, I) outside, and z = μ + σ ε is computed. The gradient goes "
        "back from f through z to μ, where dz/dμ = 1, and to σ, where dz/dσ = ε; ε needs none.",
    )


F, Z, INPUTS = 68, 190, 312  # heights of the loss, of z, and of what z is made of


def _drawn_code(sheet: Sheet, x: float) -> None:
    """z as a random variable: the gradient ends at it."""
    _loss(sheet, x)
    sheet.circle(x, Z, 26, colour=ORANGE)
    sheet.text(x, Z, "z", maths=True, size=SYMBOL)
    sheet.text(x + 40, Z, "z ~ N(μ, σ²)", anchor="start")
    for side, name in ((-1, "μ"), (1, "σ")):
        _variable(sheet, x + 90 * side, name, colour=BLUE)
        sheet.arrow(x + 76 * side, INPUTS - 24, x + 25 * side, Z + 27)
    sheet.text(x, Z + 46, "✕", size=28, colour=VERMILION, bold=True)
    sheet.text(x, INPUTS, "no derivative")


def _computed_code(sheet: Sheet, x: float) -> None:
    """z as a sum: the gradient goes on to μ and σ, and the noise comes from outside."""
    _loss(sheet, x)
    sheet.box(x, Z, 150, 48, fill="white")
    sheet.text(x, Z, "z = μ + σ ε", maths=True, size=SYMBOL)
    for at, name, colour in ((-110, "μ", BLUE), (0, "σ", BLUE), (110, "ε", ORANGE)):
        _variable(sheet, x + at, name, colour=colour)
    sheet.text(x + 112, INPUTS + 42, "ε ~ N(0, I)")
    for low, high in ((-92, -63), (-8, -8), (96, 55)):
        sheet.arrow(x + low, INPUTS - 24, x + high, Z + 27)
    for low, high in ((-76, -47), (8, 8)):
        sheet.arrow(x + high, Z + 27, x + low, INPUTS - 24, colour=VERMILION, dashed=True)
    for at, slope in ((-44, "1"), (26, "ε")):
        sheet.text(x + at, 263, slope, maths=True, size=SYMBOL, colour=VERMILION)


def _loss(sheet: Sheet, x: float) -> None:
    """f(z) at the top, the way to it and the gradient back to z."""
    sheet.box(x, F, 64, 40, colour=GREY)
    sheet.text(x, F, "f(z)", maths=True, size=SYMBOL)
    sheet.text(x + 42, F, "the loss", anchor="start")
    sheet.arrow(x - 9, Z - 26, x - 9, F + 22)
    sheet.arrow(x + 9, F + 22, x + 9, Z - 26, colour=VERMILION, dashed=True)


def _variable(sheet: Sheet, x: float, name: str, *, colour: str) -> None:
    sheet.circle(x, INPUTS, 24, colour=colour)
    sheet.text(x, INPUTS, name, maths=True, size=SYMBOL)


def noise_process() -> Diagram:
    """Diffusion: q adds noise from x_0 to x_T, one step at a time; the network goes back."""
    sheet, y, side = Sheet(268), 134, 92
    stops = ((64, "x_0", 0), (262, "x_{t−1}", 0.2), (458, "x_t", 0.4), (656, "x_T", 1))
    for x, name, noise in stops:
        _face(sheet, x, y, side, noise)
        sheet.text(x, y + 64, name, maths=True, size=SYMBOL)
    sheet.text(64, y + 92, "image")
    sheet.text(656, y + 92, "noise")
    for x in (163, 557):
        sheet.text(x, y, "· · ·", size=26)
    sheet.arrow(262, 82, 458, 82, bend=30)
    sheet.text(360, 20, "q(x_t | x_{t−1}): a little noise is added", size=20)
    sheet.arrow(432, y + 64, 294, y + 64, colour=GREEN, dashed=True)
    sheet.text(360, y + 94, "p_θ(x_{t−1} | x_t)", size=20, colour=GREEN)
    sheet.text(360, y + 119, "learned: a little noise is removed")
    return sheet.finish(
        "Diffusion: noise step by step, and back",
        "Four pictures in a row: the image x_0, x_{t−1}, x_t, and x_T, which is nothing but noise. "
        "A solid arrow leads from x_{t−1} to x_t: q(x_t | x_{t−1}) adds a little noise; nothing is "
        "learned. A dashed one leads back: p_θ(x_{t−1} | x_t), which is learned, removes it.",
    )


FACE = ("..###..", ".#...#.", "#.#.#.#", "#.....#", "#.#.#.#", ".#.#.#.", "..###..")


def _face(sheet: Sheet, x: float, y: float, side: float, noise: float) -> None:
    """A face of 7 × 7 pixels, of which `noise` says how much is noise."""
    rng = random.Random(3)
    mixed = [[(1 - noise) * (c == ".") + noise * rng.random() for c in row] for row in FACE]
    sheet.image(x, y, side, mixed)
