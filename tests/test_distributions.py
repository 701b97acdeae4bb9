"""Pixels as the course computes them, beside PyTorch's: the same numbers and gradients."""

import pytest
import torch
from torch import distributions
from torch.nn import functional as F

from course_lib.distributions import Bernoulli, bernoulli


def _of_pytorch(logits):
    return distributions.Bernoulli(logits=logits, validate_args=False)


def _log_prob(logits, x):
    return bernoulli(logits).log_prob(x).sum()


def both(logits, x):
    """log p(x) by the course and by PyTorch in double precision, and their gradients."""
    found = []
    for make, dtype in ((bernoulli, torch.float32), (_of_pytorch, torch.float64)):
        own = logits.to(dtype, copy=True).requires_grad_()
        log_prob = make(own).log_prob(x.to(own.dtype))
        log_prob.sum().backward()
        found.append((log_prob.detach(), own.grad))
    return found


@pytest.mark.parametrize(
    ("shape", "of_x"),
    [((50, 784), (50, 784)), ((7, 50, 784), (50, 784)), ((784,), (9, 784)), ((2, 3, 8, 8),) * 2],
    ids=["images", "many codes an image", "one code", "colours"],
)
def test_log_prob_and_its_gradient_are_those_of_pytorch(shape, of_x):
    """Catches a wrong sign, a gradient that is not summed where logits are repeated."""
    torch.manual_seed(0)
    logits, x = 6 * torch.randn(shape), torch.rand(of_x)
    (own, own_slope), (truth, slope) = both(logits, x)
    assert own.shape == truth.shape and own_slope.shape == slope.shape
    assert torch.allclose(own.double(), truth, rtol=2e-7, atol=2e-6)
    assert torch.allclose(own_slope.double(), slope, rtol=1e-5, atol=1e-6)


def test_extreme_logits():
    """Catches inf and nan, and the gradient x instead of x − ½ at a logit of 0."""
    logits = torch.tensor([-1e4, -150.0, -20.0, 0.0, 20.0, 150.0, 1e4])
    for x in (0.0, 0.3, 1.0):
        (own, own_slope), (truth, slope) = both(logits, torch.full_like(logits, x))
        assert torch.allclose(own.double(), truth, rtol=2e-7, atol=1e-7)
        assert torch.allclose(own_slope.double(), slope, atol=1e-6)


def test_gradients_to_the_second_order_of_logits_and_pixels():
    """Catches a function that ends where a gradient penalty or a Hessian asks for more."""
    torch.manual_seed(0)
    inputs = 3 * torch.randn(4, 5, dtype=torch.float64), torch.rand(4, 5, dtype=torch.float64)
    inputs = [value.requires_grad_() for value in inputs]

    def log_prob(logits, x):  # `bernoulli` makes float32 of them
        return Bernoulli(logits=logits, validate_args=False).log_prob(x)

    assert torch.autograd.gradcheck(log_prob, inputs)
    assert torch.autograd.gradgradcheck(log_prob, inputs)


def test_it_may_be_vectorised():
    """Catches a function that `torch.func` refuses: several models are trained at once by it."""
    torch.manual_seed(0)
    logits, x = torch.randn(3, 6), torch.rand(3, 6)
    slopes = torch.func.vmap(torch.func.grad(_log_prob))
    assert torch.allclose(slopes(logits, x), x - logits.sigmoid(), atol=1e-6)


def test_it_stays_pytorchs_in_all_else():
    """Catches a distribution that cannot be sampled, expanded or compared any more."""
    p = bernoulli(torch.tensor([-1.0, 2.0], dtype=torch.bfloat16))
    assert p.mean.dtype == torch.float32 and p.expand((3, 2)).batch_shape == (3, 2)
    assert isinstance(p, distributions.Bernoulli)
    assert set(p.sample((50,)).unique().tolist()) <= {0, 1}
    assert distributions.kl_divergence(p, p).tolist() == [0, 0]
    wide = -F.binary_cross_entropy_with_logits(p.logits, torch.ones(2), reduction="none")
    assert torch.allclose(p.expand((3, 2)).log_prob(torch.ones(3, 2)), wide.expand(3, 2))
