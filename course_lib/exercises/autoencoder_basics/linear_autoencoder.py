"""`LinearAutoencoder(D, k)`: one affine map each way."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from course_lib.exercises.autoencoder_basics.observe import (
    LINEAR_HINTS,
    observe_linear_autoencoder,
)
from course_lib.exercises.spec import Case, Exercise, Mistake


def cases(seed: int) -> list[Case]:
    sizes = [("10 pixels, code of 3", 10, 3), ("6 pixels, code of 1", 6, 1)]
    return [Case(about, {"D": D, "k": k}) for about, D, k in sizes]


def _autoencoder(encoder: Callable, decoder: Callable) -> Callable:
    """A class with these two maps, each made from (D, k)."""

    class Candidate(nn.Module):
        def __init__(self, D: int, k: int) -> None:
            super().__init__()
            self.encoder, self.decoder = encoder(D, k), decoder(D, k)

        def encode(self, x: Tensor) -> Tensor:
            return self.encoder(x)

        def decode(self, z: Tensor) -> Tensor:
            return self.decoder(z)

    return Candidate


def _down(D: int, k: int) -> nn.Module:
    return nn.Linear(D, k)


def _up(D: int, k: int) -> nn.Module:
    return nn.Linear(k, D)


def _then(layer: Callable, activation: Callable) -> Callable:
    return lambda D, k: nn.Sequential(layer(D, k), activation())


def _no_bias(n_in: int, n_out: int) -> nn.Module:
    return nn.Linear(n_in, n_out, bias=False)


def _square(D: int, k: int) -> nn.Module:
    return nn.Linear(D, D)


_HIDDEN = (
    "There is an activation between pixels and code, so the map is not linear. A linear "
    "autoencoder is one `nn.Linear` each way and nothing between."
)
_OUTPUT = (
    "There is an activation after the decoder. A linear autoencoder ends with `nn.Linear`; its "
    "outputs may leave [0, 1], as those of PCA do."
)
_BIAS = (
    "A bias is missing ({where}). Without it the reconstruction cannot be centred: the bias is "
    "where the mean image lives. Use `nn.Linear` as it comes."
)
MISTAKES = (
    *(
        Mistake(f"{name} in the encoder", _autoencoder(_then(_down, kind), _up), _HIDDEN)
        for name, kind in (("ReLU", nn.ReLU), ("tanh", nn.Tanh), ("sigmoid", nn.Sigmoid))
    ),
    *(
        Mistake(f"{name} after the decoder", _autoencoder(_down, _then(_up, kind)), _OUTPUT)
        for name, kind in (("ReLU", nn.ReLU), ("sigmoid", nn.Sigmoid))
    ),
    Mistake(
        "activation both ways",
        _autoencoder(_then(_down, nn.ReLU), _then(_up, nn.Sigmoid)),
        f"{_HIDDEN} The same goes for the decoder.",
    ),
    Mistake(
        "full rank",
        _autoencoder(_square, _square),
        "Your code has as many numbers as there are pixels, so nothing is compressed: the encoder "
        "maps D pixels to k numbers.",
    ),
    Mistake(
        "no bias",
        _autoencoder(lambda D, k: _no_bias(D, k), lambda D, k: _no_bias(k, D)),
        _BIAS.format(where="encoder and decoder"),
    ),
    Mistake(
        "no bias in the decoder",
        _autoencoder(_down, lambda D, k: _no_bias(k, D)),
        _BIAS.format(where="decoder"),
    ),
    Mistake(
        "no bias in the encoder",
        _autoencoder(lambda D, k: _no_bias(D, k), _up),
        _BIAS.format(where="encoder"),
    ),
)


EXERCISE = Exercise(
    "LinearAutoencoder",
    2,
    cases,
    MISTAKES,
    observe=observe_linear_autoencoder,
    property_hints=LINEAR_HINTS,
)
