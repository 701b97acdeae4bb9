"""Wrong answers to `nearest_training`."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake


def _gaps(samples: Tensor, train: Tensor) -> Tensor:
    """Differences of every sample and every training image, (S, N, D)."""
    return samples.flatten(1)[:, None] - train.flatten(1)


def _distances(samples: Tensor, train: Tensor) -> Tensor:
    return _gaps(samples, train).norm(dim=-1)


def _sorted(score: Tensor, k: int, *, largest: bool = False) -> tuple[Tensor, Tensor]:
    values, indices = score.sort(dim=1, descending=largest, stable=True)
    return indices[:, :k], values[:, :k]


def _by(score: Callable[[Tensor, Tensor], Tensor], *, largest: bool = False) -> Callable:
    """A candidate that sorts by another score (S, N)."""
    return lambda samples, train, k: _sorted(score(samples, train), k, largest=largest)


def _of_gaps(pool: Callable[[Tensor], Tensor]) -> Callable:
    return _by(lambda samples, train: pool(_gaps(samples, train)))


def _told(report: Callable[[Tensor, Tensor], object]) -> Callable:
    """The right neighbours, reported otherwise."""

    def candidate(samples: Tensor, train: Tensor, k: int) -> object:
        return report(*_sorted(_distances(samples, train), k))

    return candidate


def _counted(other: Callable[[int, int], int]) -> Callable:
    """A candidate that returns another number of neighbours."""
    return lambda s, t, k: _sorted(_distances(s, t), other(k, len(t)))


_right = _told(lambda indices, distances: (indices, distances))


def _rows(samples: Tensor, train: Tensor) -> Tensor:
    """A root for each row of an image, then a sum."""
    gaps = samples[:, None] - train
    return gaps.norm(dim=-1).flatten(2).sum(2)


def _last_axis(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = (samples[:, None] - train).norm(dim=-1)
    return distances.argsort(1)[:, :k], distances.sort(1).values[:, :k]


def _cosines(samples: Tensor, train: Tensor) -> Tensor:
    return F.normalize(samples.flatten(1), dim=1) @ F.normalize(train.flatten(1), dim=1).T


def _products(samples: Tensor, train: Tensor) -> Tensor:
    return samples.flatten(1) @ train.flatten(1).T


def _of_each(statistic: Callable[[Tensor], Tensor]) -> Callable:
    """Distances of one number of each image."""
    return _by(lambda s, t: (statistic(s.flatten(1))[:, None] - statistic(t.flatten(1))).abs())


def _after(change: Callable[[Tensor], Tensor]) -> Callable:
    """Right but for a change of both sets of images."""
    return lambda s, t, k: _right(change(s.flatten(1)), change(t.flatten(1)), k)


def _unsorted_distances(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = _distances(samples, train)
    return _sorted(distances, k)[0], distances[:, :k]


def _over_all(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, indices = _distances(samples, train).flatten().sort()
    return indices[:k] % len(train), values[:k]


def _whole(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, indices = (samples[:, None] - train).flatten(1).norm(dim=1).sort()
    return indices[:k], values[:k]


def _ranks(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = _distances(samples, train)
    return distances.argsort(1).argsort(1)[:, :k], distances.sort(1).values[:, :k]


def _topk(distances: Tensor, k: int, *, dim: int = -1) -> tuple[Tensor, Tensor]:
    """Fails where there are fewer than k, as `_sorted` does not."""
    values, indices = distances.topk(k, dim=dim, largest=False)
    return indices, values


def _rows_picked(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = _distances(samples, train)
    indices = distances.argsort(1)[:, :k]
    return indices, distances[indices]


def _fixed_axes(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    gaps = samples.unsqueeze(1) - train
    return _topk((gaps**2).sum((2, 3, 4)).sqrt(), k)


def _first_dropped(samples: Tensor, train: Tensor, k: int) -> tuple[Tensor, Tensor]:
    indices, distances = _sorted(_distances(samples, train), k + 1)
    return indices[:, 1:], distances[:, 1:]


_EXCHANGED = "You look for the nearest samples of each training image. Turn it round: one row for "
_EXCHANGED += "each sample, with indices into `train`."
_TWO = "Return two tensors in one tuple: the indices, then the distances."
_NUMBER = "You compare one number of each image. Take the difference pixel by pixel first."
_ROOT = "You sum roots over the {what}. Sum the squares of all pixels first, then take one root."
_AXIS = (
    "You sort over the samples, dimension 0. Each row is a sample: sort along dimension 1, over "
    "the training images."
)
_DROPPED = (
    "You drop the nearest image, as if the sample were among the training images. It is not, and a "
    "copy is what we look for."
)
_CHANGED = "You {what} the images first, which changes their distances. Compare them as they are."
MISTAKES = (
    Mistake("squared distances", _of_gaps(lambda e: (e**2).sum(-1)),
            "These are squared distances: the root is missing. The order stays the same."),
    Mistake("mean square", _of_gaps(lambda e: (e**2).mean(-1)), "This is the mean squared "
            "difference. ‖x − y‖₂ is the root of the *sum* of squares."),
    Mistake("root of the mean", _of_gaps(lambda e: (e**2).mean(-1).sqrt()),
            "This is the root of the *mean* square, too small by the root of the number of pixels. "
            "‖x − y‖₂ sums."),
    Mistake("sum of absolute differences", _of_gaps(lambda e: e.abs().sum(-1)),
            "This is the sum of absolute differences. ‖x − y‖₂ squares them."),
    Mistake("mean absolute difference", _of_gaps(lambda e: e.abs().mean(-1)),
            "This is the mean absolute difference. ‖x − y‖₂ is the root of a sum of squares."),
    Mistake("largest difference", _of_gaps(lambda e: e.abs().amax(-1)),
            "This is the largest difference of one pixel. ‖x − y‖₂ uses all of them."),
    Mistake("sum of differences", _of_gaps(lambda e: e.sum(-1).abs()),
            "Differences of opposite sign cancel in your sum. Square them first."),
    Mistake("root of rows", _by(_rows), _ROOT.format(what="rows of an image")),
    Mistake("last axis only", _last_axis, "You take the distance over the last axis only: "
            "`.flatten(1)` makes one axis of all pixels of an image."),
    Mistake("norms", _of_each(lambda x: x.norm(dim=1)), _NUMBER),
    Mistake("brightness", _of_each(lambda x: x.mean(1)), _NUMBER),
    Mistake("cosine", _by(_cosines, largest=True), "This is the cosine, which does not see that "
            "one image is brighter. Asked for is the distance ‖x − y‖₂."),
    Mistake("cosine, rising", _by(_cosines), "You return the images of *least* cosine. Asked for "
            "is the smallest distance ‖x − y‖₂."),
    Mistake("cosine distance", _by(lambda s, t: 1 - _cosines(s, t)), "This is 1 − cosine, which "
            "does not see that one image is brighter. Asked for is the distance ‖x − y‖₂."),
    Mistake("product", _by(_products, largest=True), "A large product favours bright images. Asked "
            "for is the smallest distance ‖x − y‖₂."),
    Mistake("images normalised", _after(lambda x: F.normalize(x, dim=1)),
            _CHANGED.format(what="normalise")),
    Mistake("images centred", _after(lambda x: x - x.mean(1, keepdim=True)),
            _CHANGED.format(what="centre")),
    Mistake("images standardised",
            _after(lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)),
            _CHANGED.format(what="standardise")),
    Mistake("images of 0 to 255", _after(lambda x: 255 * x), _CHANGED.format(what="scale to 255")),
    Mistake("images rounded", _after(lambda x: x.round()), _CHANGED.format(what="round")),
    Mistake("farthest", _by(_distances, largest=True), "You return the images that are farthest "
            "away. Distances sort upwards: `largest=False` in `torch.topk`."),
    Mistake("negative distances", _by(lambda s, t: -_distances(s, t), largest=True),
            "The right images, but the distances are negative: turn the sign back."),
    Mistake("farthest of the nearest first", _told(lambda i, d: (i.flip(1), d.flip(1))),
            "The right images, but from far to near. The nearest comes first."),
    Mistake("sorted by index",
            _told(lambda i, d: (i.sort(1).values, d.gather(1, i.argsort(1)))),
            "The right images, but in the order of their indices. The nearest comes first."),
    Mistake("indices sorted, distances not", _told(lambda i, d: (i.sort(1).values, d)),
            "You sort the indices by themselves: they no longer belong to their distances."),
    Mistake("ranks", _ranks, "These are ranks, not indices. One `argsort` gives the indices."),
    Mistake("distances of the first k", _unsorted_distances, "The indices are right. The distances "
            "are those of the first k training images: take the ones that belong to the indices."),
    Mistake("rows of the sorted", lambda s, t, k: tuple(
            part[:k] for part in _sorted(_distances(s, t), len(t))),
            "`[:k]` takes the first k *rows*, the samples. The first k of each row are `[:, :k]`."),
    Mistake("rows picked", _rows_picked, "An index in brackets picks whole rows of the distances. "
            "`gather` along dimension 1 picks one entry of its row each; `topk` gives both."),
    Mistake("axes counted", _fixed_axes, "You sum over axes 2, 3 and 4, which not all images have. "
            "With `.flatten(1)` any shape becomes a row."),
    Mistake("cdist of images", lambda s, t, k: _topk(torch.cdist(s, t), k),
            "`torch.cdist` compares rows of the last axis. Make one row of each image first: "
            "`.flatten(1)`."),
    Mistake("k-th alone", _told(lambda i, d: (i[:, -1], d[:, -1])),
            "You return the k-th nearest alone. Asked for are the first to the k-th, in order."),
    Mistake("wrong axis, by topk", lambda s, t, k: _topk(_distances(s, t), k, dim=0), _AXIS),
    Mistake("exchanged, by topk", lambda s, t, k: _topk(_distances(t, s), k), _EXCHANGED),
    Mistake("wrong axis", lambda s, t, k: tuple(
            part.T for part in _sorted(_distances(s, t).T, k)), _AXIS),
    Mistake("wrong axis, k in front", lambda s, t, k: tuple(
            part[:k] for part in (_distances(s, t).argsort(0), _distances(s, t).sort(0).values)),
            _AXIS),
    Mistake("samples and training images exchanged", lambda s, t, k: _right(t, s, k), _EXCHANGED),
    Mistake("transposed", _told(lambda i, d: (i.T, d.T)),
            "You return (k, S). One row for each sample: (S, k)."),
    Mistake("over all samples", _over_all, "You return the k smallest distances of all samples "
            "together. Each sample has its own k."),
    Mistake("all samples as one image", _whole, "You flatten too much: all samples become one "
            "long image. Keep dimension 0, and compare each sample by itself."),
    Mistake("first sample only", _told(lambda i, d: (i[0], d[0])),
            "You return the neighbours of the first sample only. Every sample has a row."),
    Mistake("one neighbour", _counted(lambda k, N: 1), "You return one neighbour, whatever k is."),
    Mistake("one neighbour, flat", _told(lambda i, d: (i[:, 0], d[:, 0])),
            "You return one neighbour, whatever k is, as (S,) instead of (S, k)."),
    Mistake("all of them", _counted(lambda k, N: N), "You return all training images, sorted. Keep "
            "the first k."),
    Mistake("k - 1 of them", _counted(lambda k, N: k - 1), "One neighbour is missing: k of them."),
    Mistake("first one dropped", _first_dropped, _DROPPED),
    Mistake("first one dropped, by topk", lambda s, t, k: tuple(
            part[:, 1:] for part in _topk(_distances(s, t), k + 1)), _DROPPED),
    Mistake("squeezed", _told(lambda i, d: (i.squeeze(), d.squeeze())),
            "At k = 1 your result loses a dimension: leave out `squeeze`. It is (S, k) always."),
    Mistake("order exchanged", _told(lambda i, d: (d, i)),
            "The two results have changed places, as they come from `torch.topk`. First the "
            "indices, then the distances."),
    Mistake("indices as float", _told(lambda i, d: (i.to(d.dtype), d)),
            "The indices are floating-point numbers, which cannot pick rows. Leave them int64."),
    Mistake("images instead of indices", lambda s, t, k: (
            t[_right(s, t, k)[0]], _right(s, t, k)[1]),
            "You return the images. Asked for are their indices in `train`."),
    Mistake("indices alone", _told(lambda i, d: i), f"The distances are missing. {_TWO}"),
    Mistake("distances alone", _told(lambda i, d: d), f"The indices are missing. {_TWO}"),
    Mistake("stacked", _told(lambda i, d: torch.stack([i.to(d.dtype), d])),
            f"You stack both into one tensor, and the indices become floats. {_TWO}"),
    Mistake("lists", _told(lambda i, d: (i.tolist(), d.tolist())),
            f"You return lists. {_TWO}"),
    Mistake("arrays", _told(lambda i, d: (i.numpy(), d.numpy())),
            f"You return numpy arrays. {_TWO}"),
)  # fmt: skip
