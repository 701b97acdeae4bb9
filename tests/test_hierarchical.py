"""The VAE of two layers, and what is measured of its layers."""

import math

import data_tools
import pytest
import torch
from torch.distributions import Normal

from course_lib import checkpoints
from course_lib.distributions import gaussian, kl_full_normal
from course_lib.exercises import EXERCISES
from course_lib.metrics import one_gaussian_rate
from course_lib.models import MLPVAE, HierarchicalVAE
from course_lib.recipes import hierarchy


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return HierarchicalVAE(3, 2, data_dim=20, hidden=8)


@pytest.fixture
def x():
    return torch.rand(5, 20, generator=torch.Generator().manual_seed(1))


def test_shapes_are_those_of_the_equation(vae, x):
    """Catches a layer of the wrong size, and images that have to be flat."""
    h = vae.bottom_up(x.view(5, 1, 4, 5))
    torch.testing.assert_close(h, vae.bottom_up(x))
    q_z2 = vae.q_z2(h)
    p_z1, q_z1 = vae.p_z1(q_z2.mean), vae.q_z1(h, q_z2.mean)
    shapes = [tuple(each.batch_shape) for each in (q_z2, p_z1, q_z1, vae.p_x(q_z1.mean))]
    assert shapes == [(5, 2), (5, 3), (5, 3), (5, 20)]


def test_training_begins_with_a_lower_layer_that_ignores_the_upper_one(vae, x):
    """Catches a gain that is not 0 at first, or that has no effect later."""
    h, z2 = vae.bottom_up(x), torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(vae.q_z1(h, z2[0]).mean, vae.q_z1(h, z2[1]).mean)
    with torch.no_grad():
        vae.gain.fill_(0.5)
    moved = vae.q_z1(h, z2[0]).mean - vae.q_z1(h, z2[1]).mean
    torch.testing.assert_close(moved, 0.5 * (vae.p_z1(z2[0]).mean - vae.p_z1(z2[1]).mean))
    assert moved.abs().max() > 1e-3


def test_every_part_learns_from_the_bound(vae, x):
    """Catches a part of the network that no term of the bound depends on."""
    noise = [torch.randn(5, d, generator=torch.Generator().manual_seed(d)) for d in (2, 3)]
    EXERCISES["hierarchical_elbo"].reference(vae, x, *noise)[0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in vae.parameters())


def test_the_layer_below_alone_has_the_elbo_of_one_layer(vae, x):
    """Catches a KL that is paid although both layers do what their priors do."""
    with torch.no_grad():
        for part in (vae.upper, vae.prior):
            part[-1].weight.zero_()
            part[-1].bias.zero_()
    eps2, eps1 = torch.zeros(5, 2), torch.zeros(5, 3)
    bound, upper, lower = EXERCISES["hierarchical_elbo"].reference(vae, x, eps2, eps1)
    mu, log_var = vae.evidence(vae.bottom_up(x)).chunk(2, dim=1)
    one = EXERCISES["elbo"].reference(x, vae.p_x(mu).logits, mu, log_var)
    torch.testing.assert_close(bound, one)
    assert upper.abs().max() < 1e-6 and lower.min() > 0


def test_the_rate_under_one_gaussian_is_the_least():
    """Catches moments that are not those of all codes together."""
    g = torch.Generator().manual_seed(3)
    q = gaussian(torch.randn(400, 3, generator=g) ** 2, torch.randn(400, 3, generator=g))
    best = one_gaussian_rate(q)
    mu, own = q.mean.double(), torch.diag_embed(q.variance.double())
    z = mu + q.stddev * torch.randn(50, 400, 3, generator=g)
    cov = torch.cov(z.reshape(-1, 3).T)
    found = kl_full_normal(mu, own, mu.mean(0), cov).mean()
    assert math.isclose(best, found, rel_tol=0.01)
    for shift, scale in ((0.3, 1), (0, 0.7), (0, 1.5)):
        assert kl_full_normal(mu, own, mu.mean(0) + shift, scale * cov).mean() > best
    same = Normal(torch.full((9, 2), 3.0), torch.full((9, 2), 0.4))
    assert abs(one_gaussian_rate(same)) < 1e-12


def test_the_models_of_the_recipe_have_equally_many_parameters():
    """Catches a comparison of unequal networks."""
    layers, one = HierarchicalVAE(**hierarchy.LAYERS), MLPVAE(**hierarchy.ONE_LAYER)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (layers, one)]
    assert abs(sizes[0] - sizes[1]) < 0.002 * sizes[0]


def test_warm_up_and_free_bits_change_the_charge_alone(vae, x):
    """Catches a repair that is measured on another objective than it says."""
    kinds, found = hierarchy.kinds(10), {}
    for kind in ("plain", "warm-up", "free bits"):
        found[kind] = []
        for _ in range(7):
            torch.manual_seed(4)
            loss, terms = kinds[kind](vae, x)
            found[kind].append((loss + terms.log_lik.mean()).item())
    upper, lower = (kl.mean().item() for kl in (terms.kl_upper, terms.kl_lower))
    for charge, beta in zip(found["warm-up"], (0, 0.2, 0.4, 0.6, 0.8, 1, 1), strict=True):
        assert math.isclose(charge, beta * (upper + lower), abs_tol=1e-4)
    assert math.isclose(found["plain"][0], upper + lower, abs_tol=1e-4)
    assert upper < hierarchy.FLOOR
    assert math.isclose(found["free bits"][0], hierarchy.FLOOR + lower, abs_tol=1e-4)


def test_the_recipe_trains_every_kind_with_every_seed(monkeypatch, tmp_path):
    """Catches a training that is lost, a seed that is used twice, and terms that do not add up."""
    data_tools.cut_images(monkeypatch, {"train": 160, "test": 64, "valid": 64})
    monkeypatch.setattr(hierarchy, "STEPS", 3)
    monkeypatch.setattr(hierarchy, "BATCH", 50)
    hierarchy.run(tmp_path)
    found = checkpoints.metrics("hierarchy", folder=tmp_path)
    named = [(row["kind"], row["seed"]) for row in found["rows"]]
    assert named == [(kind, seed) for kind in hierarchy.kinds(1) for seed in hierarchy.SEEDS]
    assert len({row["negative_elbo"] for row in found["rows"]}) == len(named)
    for row in found["rows"]:
        assert row["negative_elbo"] > row["kl_upper"] + row["kl_lower"] > 0
        assert ("living" in row) == ("saved_by_upper" in row) == (row["kind"] != "one layer")
