"""The known faults: what of a model's measurements gives each of them away."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

from course_lib.diagnostics.entries import ENTRIES, Entry
from course_lib.diagnostics.measures import GLARE, Measures
from course_lib.diagnostics.objective import Weights

COLLAPSED = 0.02  # nats: a latent below tells nothing
SAME = 0.05  # of the images' spread: nobody sees the difference
COMPANY = 0.02  # of the images' spread: more than rounding
MODES = 0.3  # of the reconstructions' spread: more than a little dropout does
NO_SIGMA = 2e-3  # half of a byte's step
FAR = 4  # E z² of the codes, 1 in the prior
BYPASS = 0.85  # of the error against other images: without a way past the code it is 0.99 to 1.01


class Finding(NamedTuple):
    """A fault, and what was measured of it."""

    name: str
    evidence: str

    @property
    def entry(self) -> Entry:
        """What is known of it: what people see, how it is told apart, the repair."""
        return ENTRIES[self.name]


Found = Iterator[Finding]


def findings(m: Measures, w: Weights | None) -> list[Finding]:
    """The likely faults, the likeliest first: causes before what follows from them."""
    if not m.finite or (w is not None and not w.finite):
        return [*_inputs(m, w), *_not_finite(m)]
    found = {one.name: one for rule in RULES for one in rule(m, w)}
    causes = [one for one in found.values() if one.name in _EXPLAINS_ALL]
    return causes[:1] or list(found.values())  # what else is wrong follows from a cause, or may


def _inputs(m: Measures, w: Weights | None) -> Found:
    if m.x_max > 10:
        yield Finding(
            "pixels are bytes", f"pixels reach {m.x_max:.0f}: divide by 255 before the encoder"
        )
    elif m.x_min < -0.01 and not (m.out_min < -0.01 and m.kind != "Bernoulli"):
        outputs = "" if math.isnan(m.out_min) else (
            f", outputs from {m.out_min:.2f} to {m.out_max:.2f}")  # fmt: skip
        yield Finding(
            "pixels outside of [0, 1]",
            f"pixels from {m.x_min:.2f} to {m.x_max:.2f}{outputs}: a sigmoid never reaches them, "
            "and their cross-entropy has no minimum",
        )


def _not_finite(m: Measures) -> Found:
    more = f", σ up to {m.sigma_max:.3g}" if m.is_vae else ""
    told = "codes, their KL, images or the loss have no number"
    yield Finding("numbers that are not finite", told + more)


def _outputs(m: Measures, w: Weights | None) -> Found:
    if m.x_min < -0.01:
        return
    if m.error_as_logits < min(0.5 * m.error, 1.1):  # a sigmoid makes images of them
        yield Finding(
            "logits taken for images",
            f"outputs from {m.out_min:.1f} to {m.out_max:.1f}; a sigmoid lowers the error from "
            f"{m.error:.2f} to {m.error_as_logits:.2f} of the mean image's",
        )
    elif -1 <= m.out_min < -0.05 and (0.9 < m.out_max <= 1 or m.error > 1 > m.out_max):
        # A linear output that fits goes a little beyond 1, a tanh does not.
        yield Finding(
            "outputs below 0 for images in [0, 1]",
            f"outputs from {m.out_min:.2f} to {m.out_max:.2f}: a tanh, or nothing, where a "
            "sigmoid was meant",
        )


def _sigma(m: Measures, w: Weights | None) -> Found:
    if m.is_vae and m.sigma_min >= 1 - 1e-6:
        yield Finding(
            "σ never below 1",
            f"σ from {m.sigma_min:.3f} to {m.sigma_max:.3f}: nothing may end in a ReLU, abs or "
            "softplus that gives log σ²",
        )
    low, high = math.exp(-0.5), math.exp(0.5)
    least, most = m.sigma_in_glare
    bounded = low - 1e-6 <= least <= most <= high + 1e-6 and m.sigma_min < m.sigma_max
    if bounded and (least < low + 0.01 or most > high - 0.01):
        yield Finding(
            "log σ² behind a tanh",
            f"σ from {m.sigma_min:.3f} to {m.sigma_max:.3f}, for images {GLARE:.0f} times as "
            f"bright from {least:.3f} to {most:.3f}: e^±½ at most",
        )
    if m.mu_min == 0 and m.mu_stopped > 0.05:
        yield Finding(
            "codes behind a ReLU", f"no code below 0, and {m.mu_stopped:.0%} of them exactly 0"
        )
    elif m.is_vae and max(-m.mu_min, m.mu_max) <= 1 and min(-m.mu_min, m.mu_max) > 0.97:
        yield Finding("μ behind a tanh", f"μ from {m.mu_min:.3f} to {m.mu_max:.3f}")


def _noise(m: Measures, w: Weights | None) -> Found:
    if math.isnan(m.drawn_sd):
        return
    if abs(m.drawn_mean - 0.5) < 0.1 and abs(m.drawn_sd - 0.29) < 0.05:
        yield Finding(
            "uniform noise for normal noise",
            f"(z − μ)/σ has mean {m.drawn_mean:.2f} and deviation {m.drawn_sd:.2f}: `torch.rand`",
        )
    elif m.drawn_sd < 1e-3:
        yield Finding("z is μ, without noise", f"(z − μ)/σ has deviation {m.drawn_sd:.2g}, not 1")
    elif abs(m.drawn_sd - 1) > 0.15:
        yield Finding(
            "σ of the sample is not σ of the KL",
            f"(z − μ)/σ has deviation {m.drawn_sd:.2f}, not 1: is log σ² taken for log σ, or σ² "
            "for σ?",
        )
    if not m.drawn_again and m.drawn_sd >= 1e-3:
        yield Finding("the same noise in every step", "encode gave the same z under another seed")


def _modes(m: Measures, w: Weights | None) -> Found:
    if m.company_gap > COMPANY:
        yield Finding(
            "an image depends on its batch in eval()",
            f"alone it moves by {m.company_gap:.2f} of the images' spread",
        )
    elif m.mode_gap > MODES:
        yield Finding(
            "train() and eval() differ",
            f"reconstructions move by {m.mode_gap:.2f} of what they differ by: batch norm whose "
            "averages are not those of the data, or dropout",
        )


def _codes(m: Measures, w: Weights | None) -> Found:
    if bypassed(m):
        yield Finding(
            "the picture goes past the code",
            f"decoded from other images' codes the error is {m.error_of_code:.2f} of the mean "
            f"image's, {m.error:.2f} from its own, and {m.error_of_others:.2f} where only the code "
            "tells: skip connections do this, and decoders that see the image",
        )
        return
    if m.is_vae and sum(m.kl) < COLLAPSED * len(m.kl):
        yield _collapse(m, w)
    elif m.spread < SAME:
        yield _one_image(m, w)
    elif m.error > 0.9 and m.error_of_others < 1.05 * m.error and m.spread > 0.2:
        yield Finding(
            "reconstructions are of other images",
            f"error {m.error:.2f} of the mean image's, and {m.error_of_others:.2f} against other "
            "images: targets are shuffled, or the encoder is not used",
        )


def bypassed(m: Measures) -> bool:
    """Whether the decoder knows of the image without its code; else both errors are alike."""
    return m.error_of_code < BYPASS * m.error_of_others and m.spread > SAME


def _collapse(m: Measures, w: Weights | None) -> Finding:
    told = f"{sum(m.kl):.3f} nats of rate in all"
    if w is None or not w.kind:
        return Finding(
            "posterior collapse",
            f"{told}. Pass `loss`: the price of the KL, an encoder without a gradient and targets "
            "that are not the images' own look alike from outside",
        )
    if not w.encoder_reached:
        return Finding("the encoder gets no gradient", f"{told}; {_unreached(w)}")
    if not w.decoder_reached:
        return Finding("the decoder gets no gradient", f"{told}; {_unreached(w)}")
    if w.reach < 0.01:
        return Finding(
            "the distortion's gradient does not reach the encoder",
            f"{told}; `sample()` for `rsample()`, or `detach`",
        )
    if w.explained_encoder < 0.5:
        return _others(w, told)
    return _price(m, w, told) or Finding(
        "posterior collapse", f"{told}, at a price of {w.beta:.3g} per nat of rate"
    )


def _others(w: Weights, told: str) -> Finding:
    return Finding(
        "targets are not the images' own",
        f"{told}; beside the rate's, {w.explained_encoder:.0%} of the encoder's gradient is that "
        "of its images' distortion",
    )


def _price(m: Measures, w: Weights, told: str) -> Finding | None:
    """The KL's weight, where it is a known mistake or far above 1."""
    if w.kind == "squared error":
        sigma = math.sqrt(max(0.0, w.beta) / 2)
        said = f"{told}; a nat of rate costs {w.beta:.3g} of squared error, as with σ = {sigma:.2g}"
    else:
        said = f"{told}; a nat of rate costs {w.beta:.3g} nats of distortion"
    near = {
        "pixels are averaged, latents are summed": m.pixels,
        "pixels and latents are averaged": m.pixels / m.latents,
    }
    for name, price in near.items():
        if abs(math.log(max(w.beta, 1e-12) / price)) < math.log(1.3) and price > 1.3:
            return Finding(name, said)
    if w.beta > (1.0 if w.kind == "squared error" else 1.5):
        return Finding("the KL weighs too much", said)
    return None


def _one_image(m: Measures, w: Weights | None) -> Finding:
    told = f"reconstructions differ by {m.spread:.3f} of the images' spread"
    if w is not None and not w.encoder_reached:
        return Finding("the encoder gets no gradient", f"{told}; {_unreached(w)}")
    if w is not None and w.kind and w.reach >= 0.01 and w.explained_encoder < 0.5:
        return _others(w, told)
    return Finding("one image for every input", f"{told}; error {m.error:.2f} of the mean image's")


def _rate(m: Measures, w: Weights | None) -> Found:
    if not m.is_vae or not m.second_moment:
        return
    if (
        w is not None
        and w.kind
        and w.kind != "squared error"
        and m.latents > 5
        and (abs(w.beta * m.latents - 1) < 0.05)
    ):
        yield Finding(
            "latents are averaged, pixels are summed",
            f"a nat of rate costs {w.beta:.3g} nats of distortion, one {m.latents}th",
        )
        return
    moment = statistics.median(m.second_moment)
    cheap = w is not None and bool(w.kind) and w.kind != "squared error" and w.beta < 0.1
    if moment > (1.5 if cheap else FAR):
        told = f"E z² is {moment:.3g} in the median latent, 1 in the prior"
        if w is not None and w.kind and w.beta < -1e-3:
            return  # it is subtracted
        if w is not None and w.kind and w.beta < 1e-4:
            yield Finding("there is no KL in the loss", told)
        elif w is not None and w.kind:
            yield Finding(
                "the KL weighs too little", f"{told}; a nat of rate costs {w.beta:.3g} of {w.kind}"
            )
        else:
            yield Finding("codes far from the prior", f"{told}: the KL weighs too little")


def _gradients(m: Measures, w: Weights | None) -> Found:
    if w is None or not w.kind or bypassed(m):
        return
    if w.unreached and w.encoder_reached and w.decoder_reached:
        yield Finding("parameters without a gradient", _unreached(w))
    elif not w.encoder_reached:
        yield Finding("the encoder gets no gradient", _unreached(w))
    elif m.is_vae and w.decoder_reached and w.reach < 0.01:
        yield Finding(
            "the distortion's gradient does not reach the encoder",
            "on the encoder the loss's gradient is that of the KL alone: `sample()` for "
            "`rsample()`, or `detach`",
        )
    if m.is_vae and w.beta < -1e-3 and w.explained_encoder > 0.8:
        yield Finding("the KL is subtracted", f"a nat of rate costs {w.beta:.3g}: it is rewarded")


def _unreached(w: Weights) -> str:
    few = ", ".join(w.unreached[:3])
    return f"no gradient reaches {few}" + (" …" if len(w.unreached) > 3 else "")


def _scale(m: Measures, w: Weights | None) -> Found:
    if m.decoder_sigma < NO_SIGMA:
        yield Finding(
            "the decoder's σ runs away",
            f"its smallest is {m.decoder_sigma:.2g}: pixels that never change reward σ → 0 without "
            "end; share one σ, or bound it",
        )


def worse_held_out(m: Measures) -> bool:
    """Whether held-out images have a clearly larger error."""
    return m.held_out_error > 1.5 * m.error + 0.02


def _overfit(m: Measures, w: Weights | None) -> Found:
    if worse_held_out(m) or (m.held_out_nats - m.nats > 0.15 * max(abs(m.nats), 20.0)):
        nats = "" if math.isnan(m.held_out_nats) else (
            f", −ELBO {m.nats:.1f} and {m.held_out_nats:.1f} nats")  # fmt: skip
        yield Finding(
            "overfitting",
            f"error {m.error:.2f} of the mean image's on these images and {m.held_out_error:.2f} "
            f"on held-out ones{nats}",
        )


RULES: tuple[Callable[[Measures, Weights | None], Found], ...] = (
    _inputs, _outputs, _sigma, _noise, _scale, _modes, _codes, _gradients, _rate, _overfit,
)  # fmt: skip
_EXPLAINS_ALL = {
    "pixels are bytes", "pixels outside of [0, 1]", "logits taken for images",
    "train() and eval() differ",
}  # fmt: skip
