"""What is special to the exercises of notebook 02: slips in other words, and their cases."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.exercises import EXERCISES

Reference, corrupt = (EXERCISES[name].reference for name in ("ConvAutoencoder", "corrupt"))


def model(**methods):
    return type("Student", (Reference,), methods)


def damage(kind, wrong):
    return lambda x, k, level, g: wrong(x, level, g) if k == kind else corrupt(x, k, level, g)


def frozen_decoder(model, clean, noisy):
    model.decoder.requires_grad_(False)
    return ((clean - model(noisy)) ** 2).flatten(1).sum(1)


def mse(x, x_hat):
    return ((x - x_hat) ** 2).flatten(1).mean(1)


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("conv_out", lambda n, k, s, p: -(-(n - k + 2 * p) // s) + 1, "rounds down"),
        ("conv_transpose_out", lambda n, k, s, p, op: n * s - s - 2 * p + k, "Output padding"),
        ("conv_transpose_out", lambda n, k, s, p, op: n * s, "Lay n stamps"),
        ("ConvAutoencoder", model(encode=lambda m, x: Reference.encode(m, x / x.max())), "others"),
        ("ConvAutoencoder", model(encode=lambda m, x: Reference.encode(
            m, x.mT.reshape(x.shape))), "scrambles pixels"),
        ("ConvAutoencoder", model(encode=lambda m, x: m.encoder(x).relu()), "activation"),
        ("ConvAutoencoder", model(decode=lambda m, z: m.decoder(z).softmax(2)), "same sum"),
        ("ConvAutoencoder", model(decode=lambda m, z: Reference.decode(m, z)[:, :1].expand(
            -1, len(m.encoder[0].weight[0]), -1, -1)), "same grey"),
        ("ConvAutoencoder", model(encode=lambda m, x: None), "is there a `return`"),
        ("corrupt", damage("gaussian", lambda x, v, g: torch.normal(x, v**0.5 + 1e-9 * (v == 0),
            generator=g).clamp(0, 1)), "variance"),
        ("corrupt", damage("mask", lambda x, v, g: corrupt(x, "mask", v, g).index_copy(
            2, torch.tensor([3]), x[:, :, 3:4])), "row *and* column"),
        ("denoising_loss", lambda m, c, n: F.mse_loss(m(n), c), "average over the channels, the"),
        ("denoising_loss", lambda m, c, n: ((c - m(n)) ** 2).sum(0), "sum over the images of"),
        ("denoising_loss", lambda m, n, c: ((c - m(n)) ** 2).flatten(1).sum(1), "changed places"),
        ("denoising_loss", frozen_decoder, "the decoder gets no gradient"),
        ("psnr", lambda x, y, r: 10 * torch.log(r**2 / mse(x, y)), "to base 10"),
        ("psnr", lambda x, y, r: 10 * (r**2 / mse(x, y).clamp(1e-10)).log10(), "an error of 0"),
        ("anomaly_auroc", lambda a, b: (b > a[:, None]).float().mean(), "ties do not count"),
        ("knn_retrieve", lambda z, q, k: (z - z[q]).norm(dim=1).topk(k + 1, largest=False)[1][1:],
         "Another code can equal the query"),
        ("knn_retrieve", lambda z, q, k: (-z @ z[q]).argsort()[:k].float(), "whole numbers"),
        ("knn_retrieve", lambda z, q, k: torch.cdist(z[q], z).argsort()[:k], "matrices of rows"),
    ],
)  # fmt: skip
def test_slips_in_other_words_are_told_truly(name, candidate, words):
    """Catches a hint that needs the spelling of the table, or a slip that is right by luck."""
    for seed in (20, 1, 977):
        verdict = EXERCISES[name].check(candidate, seed)
        assert verdict.status == "wrong" and words in verdict.hint


def test_cases_leave_nothing_to_chance():
    """Catches areas near ½ that hide swapped sides, and neighbours that rounding could exchange."""
    for seed in range(100):
        for case in EXERCISES["anomaly_auroc"].cases(seed):
            area = EXERCISES["anomaly_auroc"].reference(*case.args.values())
            assert abs(area - 0.5) > 0.02 or "the same" in case.about
        for case in EXERCISES["knn_retrieve"].cases(seed):
            z, query, _ = case.args.values()
            gaps = (z - z[query]).norm(dim=1).sort().values.diff()
            assert sum(gaps < 1e-3) == ("equals" in case.about)
