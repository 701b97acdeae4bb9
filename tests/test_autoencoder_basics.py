"""What is special to the exercises of notebook 01: answers in other words, and their cases."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli

from course_lib.exercises import EXERCISES

svd, qr, svdvals = torch.linalg.svd, torch.linalg.qr, torch.linalg.svdvals


def pca(directions):
    """PCA with these directions, (D, k), made from centred X."""

    def answer(X, k):
        V = directions(X - X.mean(0))[:, :k]
        return (X - X.mean(0)) @ V @ V.T + X.mean(0)

    return answer


def angles(of):
    return lambda W, V: of(svdvals(qr(W).Q.T @ qr(V).Q))


def step_of_its_own(model, x, optimizer):
    return right("train_step", model, x, torch.optim.Adam(model.parameters()))


def step(loss_of, order="zbs"):
    """A training step whose calls come in this order."""

    def answer(model, x, optimizer):
        loss = loss_of(model(x) - x)
        for letter in order:
            {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[letter]()
        return loss.item()

    return answer


def right(name, *args):
    return EXERCISES[name].reference(*args)


class Own(nn.Module):
    """Two affine layers, with something behind the first."""

    def __init__(self, D, k, after=lambda z: z):
        super().__init__()
        self.down, self.decode, self.after = nn.Linear(D, k), nn.Linear(k, D), after

    def encode(self, x):
        return self.after(self.down(x))


WRONG = [
    ("pca_reconstruct", pca(lambda X: svd(X, full_matrices=False).Vh), "transpose"),
    ("pca_reconstruct", pca(lambda X: svd(X).Vh.T.flip(1)), "least variance"),
    ("LinearAutoencoder", lambda D, k: Own(D, k, torch.tanh), "not affine"),
    ("LinearAutoencoder", lambda D, k: Own(D, k, F.dropout), "random numbers"),
    ("principal_angles", angles(lambda c: c.clamp(max=0.999).acos().rad2deg()), "cut off"),
    ("principal_angles", lambda W, V: qr(W).T @ qr(V), "several tensors"),
    ("bce_nats", lambda x, a: F.binary_cross_entropy_with_logits(a, x).sum(1), "told otherwise"),
    ("bce_nats", lambda x, a: F.binary_cross_entropy(a, x), "takes probabilities"),
    ("bce_nats", lambda x, a: -Bernoulli(logits=a).log_prob(x).sum(1), "Grey pixels"),
    ("bce_nats", lambda x, a: -Bernoulli(a.sigmoid(), None, False).log_prob(x).sum(1), "150 nats"),
    ("train_step", step(lambda e: (e**2).mean(), "bs"), "still hold the first"),
    ("train_step", step(lambda e: (e**2).mean(), "bzs"), "and when?"),
    ("train_step", step_of_its_own, "the `optimizer` that is handed in"),
    ("principal_angles", lambda W, V: torch.eig(W.T @ V), "rather than real tensors mimicking"),
    ("train_step", step(lambda e: e.abs().mean()), "another direction"),
    ("train_step", step(lambda e: (e**2).mean()), "over the pixels"),
    ("train_step", step(lambda e: (e**2).sum()), "over the images"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
@pytest.mark.parametrize("seed", [20, 3, 977, 4321])
def test_wrong_answers_in_other_words_get_a_hint_that_is_true_of_them(name, answer, words, seed):
    """Catches a hint that belongs to one spelling, and a loss of another scale that is green."""
    verdict = EXERCISES[name].check(answer, seed)
    assert verdict.status == "wrong" and words in verdict.hint, verdict
    assert verdict.near == words.startswith("over the")


def test_what_tells_answers_apart_is_in_every_seed():
    """Catches cosines that are never rounded above 1, and records that are the same everywhere."""
    unclamped, records = angles(lambda c: c.acos().rad2deg()), set()
    for seed in range(300, 340):
        assert not EXERCISES["principal_angles"].check(unclamped, seed).passed
        records.add(str(EXERCISES["LinearAutoencoder"].records(Own, seed)))
    assert len(records) == 40
