"""Wrong answers to `condition`."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.spec import Mistake

Join = Callable[[Tensor, Tensor, float], Tensor]


def _joined(join: Join) -> Callable:
    """A candidate that puts z, the vectors of its classes and the weight together otherwise."""
    return lambda z, labels, embedding, weight: join(z, embedding(labels), weight)


def _labelled(which: Callable[[Tensor], Tensor]) -> Callable:
    """A candidate that asks the embedding for other labels."""
    return lambda z, labels, embedding, weight: z + weight * embedding(which(labels))


def _in_place(z: Tensor, e: Tensor, weight: float) -> Tensor:
    z += weight * e
    return z


def _written_over(z: Tensor, e: Tensor, weight: float) -> Tensor:
    z[:] = z + weight * e
    return z.clone()


def _without_grad(z: Tensor, e: Tensor, weight: float) -> Tensor:
    return (z + weight * e).detach()


def _one_by_one(z: Tensor, e: Tensor, weight: float) -> Tensor:
    return torch.stack([code + weight * e[0] for code in z])


_IGNORED = "The labels have no effect: "
_ONE = "All codes of the batch get the same class. Each has a label of its own."
_IN_PLACE = (
    "You write into z, which belongs to the caller: the next class would be added to this one. "
    "Make a new tensor, without `+=`."
)
_CALL = "`embedding` is a function here: hand it the labels, in round brackets."
_LABELS = "Hand the labels to the embedding as they are: (B,) whole numbers. "
_CAT = (
    "You put the two side by side, (B, 2d). The decoder takes d numbers: add the class to the code."
)
_DETACHED = "The values are right, but they have no graph: leave out `.detach()` and `no_grad`."
MISTAKES = (
    Mistake("label ignored", _joined(lambda z, e, w: z.clone()),
            f"{_IGNORED}you return z. Add the vector of its class, times the weight."),
    Mistake("z itself", _joined(lambda z, e, w: z),
            f"{_IGNORED}you return z. Add the vector of its class, times the weight."),
    Mistake("z itself at weight 0", _joined(lambda z, e, w: z if w == 0 else z + w * e),
            "At weight 0 you hand z itself back. Return a new tensor, whatever the weight."),
    Mistake("class 0", _labelled(torch.zeros_like), f"{_IGNORED}every code gets class 0."),
    Mistake("class 1", _labelled(torch.ones_like), f"{_IGNORED}every code gets class 1."),
    Mistake("position in the batch", _labelled(lambda y: torch.arange(len(y))),
            f"{_IGNORED}you hand the embedding the positions 0, 1, 2, … in the batch."),
    Mistake("label of the first", _labelled(lambda y: y[:1]), _ONE),
    Mistake("label of the last", _labelled(lambda y: y[-1]), _ONE),
    Mistake("largest label", _labelled(lambda y: y.max()), _ONE),
    Mistake("one embedding, by loop", _joined(_one_by_one), _ONE),
    Mistake("mean of the embeddings", _joined(lambda z, e, w: z + w * e.mean(0)),
            f"You average the vectors of the classes over the batch. {_ONE}"),
    Mistake("sum of the embeddings", _joined(lambda z, e, w: z + w * e.sum(0)),
            f"You sum the vectors of the classes over the batch. {_ONE}"),
    Mistake("labels turned round", _labelled(lambda y: y.flip(0)),
            "The labels come in the wrong order: the first belongs to the first code."),
    Mistake("labels sorted", _labelled(lambda y: y.sort().values),
            "You sort the labels. The first belongs to the first code."),
    Mistake("labels from 1", _labelled(lambda y: y - 1),
            "You subtract 1 from the labels. They count from 0 as they are."),
    Mistake("weight ignored", _joined(lambda z, e, w: z + e),
            "The weight has no effect: at weight 0 the class would still be there."),
    Mistake("weight squared", _joined(lambda z, e, w: z + w**2 * e),
            "The weight counts twice. Multiply by it once."),
    Mistake("weight on z", _joined(lambda z, e, w: w * z + e),
            "The weight is on z. It belongs to the class."),
    Mistake("weight on both", _joined(lambda z, e, w: w * (z + e)),
            "The weight is on both. z keeps its own: mind the brackets."),
    Mistake("weights that add up to 1", _joined(lambda z, e, w: (1 - w) * z + w * e),
            "You mix the two with weights that add up to 1. Here z stays whole."),
    Mistake("weight added", _joined(lambda z, e, w: z + w + e),
            "You add the weight. It multiplies the vector of the class."),
    Mistake("divided by the weight", _joined(lambda z, e, w: z + e / w),
            "You divide by the weight. It multiplies the vector of the class."),
    Mistake("subtracted", _joined(lambda z, e, w: z - w * e),
            "You subtract the class. It is added."),
    Mistake("half", _joined(lambda z, e, w: (z + w * e) / 2),
            "You average the two. They are added, without a division by 2."),
    Mistake("multiplied", _joined(lambda z, e, w: z * w * e),
            "You multiply the code by the class. It is added."),
    Mistake("multiplied, weight ignored", _joined(lambda z, e, w: z * e),
            "You multiply the code by the class. It is added, times the weight."),
    Mistake("scaled by the class", _joined(lambda z, e, w: z * (1 + w * e)),
            "You scale the code by the class. It is moved by it: add."),
    Mistake("class alone", _joined(lambda z, e, w: w * e), "z is missing: only the class is left, "
            "and all images of a class would be the same."),
    Mistake("class alone, no weight", _joined(lambda z, e, w: e), "z and the weight are missing: "
            "only the class is left, and all images of a class would be the same."),
    Mistake("normalised class", _joined(lambda z, e, w: z + w * F.normalize(e, dim=1)),
            "You normalise the vector of the class. How long it is, the embedding learns."),
    Mistake("scaled as in a transformer", _joined(lambda z, e, w: z + w * e * e.shape[1] ** 0.5),
            "You multiply by the root of d, as some transformers do. Only the weight counts here."),
    Mistake("mean of each vector", _joined(lambda z, e, w: z + w * e.mean(1, keepdim=True)),
            "You average each vector of a class into one number. Add it dimension by dimension."),
    Mistake("side by side", _joined(lambda z, e, w: torch.cat([z, w * e], 1)), _CAT),
    Mistake("side by side, weight ignored", _joined(lambda z, e, w: torch.cat([z, e], 1)),
            f"{_CAT} And the weight has no effect."),
    Mistake("one below the other", _joined(lambda z, e, w: torch.cat([z, w * e])),
            "You put the codes of the classes below those of the images, (2B, d). Add them."),
    Mistake("every code with every class", _joined(lambda z, e, w: z[:, None] + w * e),
            "You add every class to every code, (B, B, d). Row goes with row."),
    Mistake("labels as a column", lambda z, y, embedding, w: z + w * embedding(y[:, None]),
            f"{_LABELS}As a column (B, 1) they give (B, 1, d), and then every code meets every "
            "class."),
    Mistake("labels as a row", lambda z, y, embedding, w: z + w * embedding(y[None]),
            f"{_LABELS}As a row (1, B) they give (1, B, d), one dimension too many."),
    Mistake("labels as a list", lambda z, y, embedding, w: z + w * embedding(y.tolist()),
            f"{_LABELS}It takes a tensor, not a list."),
    Mistake("labels one by one",
            lambda z, y, embedding, w: z + w * torch.stack([embedding(int(label)) for label in y]),
            f"{_LABELS}It takes the tensor of all at once."),
    Mistake("weight for the labels", lambda z, y, embedding, w: z + embedding(w),
            f"{_LABELS}You hand it the weight."),
    Mistake("softmax of the class", _joined(lambda z, e, w: z + w * e.softmax(1)),
            "You take a softmax of the vector of the class. It is added as it is."),
    Mistake("labels as numbers", lambda z, y, embedding, w: z + w * y[:, None],
            "You add the labels themselves, as if class 8 were twice class 4. Ask the embedding "
            "for their vectors."),
    Mistake("labels as float", lambda z, y, embedding, w: z + w * embedding(y.float()),
            f"{_LABELS}The weight multiplies what comes out, and `.float()` is not needed."),
    Mistake("one-hot labels", lambda z, y, embedding, w: z + w * embedding(F.one_hot(y, 9)),
            f"{_LABELS}One-hot rows would be taken for many labels each."),
    Mistake("weighted labels", lambda z, y, embedding, w: z + embedding(w * y),
            f"{_LABELS}The weight multiplies what comes out, and `.float()` is not needed."),
    Mistake("codes for labels", lambda z, y, embedding, w: z + w * embedding(z),
            f"{_LABELS}You hand it the codes."),
    Mistake("not called", lambda z, y, embedding, w: z + w * embedding, _CALL),
    Mistake("indexed", lambda z, y, embedding, w: z + w * embedding[y], _CALL),
    Mistake("table of the embedding", lambda z, y, embedding, w: z + w * embedding.weight[y],
            f"You read a table `weight`, which only `nn.Embedding` has. {_CALL}"),
    Mistake("z changed", _joined(_in_place), _IN_PLACE),
    Mistake("z written over", _joined(_written_over), _IN_PLACE),
    Mistake("detached", _joined(_without_grad), _DETACHED),
    Mistake("embedding detached", _joined(lambda z, e, w: z + w * e.detach()),
            "No gradient reaches the embedding, so the classes are never learned: do not detach "
            "it."),
    Mistake("z detached", _joined(lambda z, e, w: z.detach() + w * e),
            "No gradient reaches z, so the encoder does not learn: do not detach it."),
    Mistake("two results", _joined(lambda z, e, w: (z, w * e)),
            "You return two tensors. Add them, and return one."),
)  # fmt: skip
