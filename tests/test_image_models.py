"""The classifier and the U-Net: what goes in, what comes out, and what each output depends on."""

import pytest
import torch

from course_lib.models import Classifier, UNet
from course_lib.models.unet import time_embedding


@pytest.fixture(params=[Classifier, UNet])
def model(request):
    torch.manual_seed(0)
    return request.param(10)


def outputs(model, x, y, t):
    return model(x) if isinstance(model, Classifier) else model(x, t, y)


def batch(n=4):
    g = torch.Generator().manual_seed(1)
    x = torch.rand(n, 3, 32, 32, generator=g)
    return x, torch.arange(n) % 10, torch.arange(n) * 100


def test_shapes_and_gradients(model):
    """Catches a layer that is never used, or an output of the wrong size."""
    x, y, t = batch()
    out = outputs(model, x, y, t)
    assert out.shape == ((4, 10) if isinstance(model, Classifier) else x.shape)
    out.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_images_of_a_batch_do_not_see_one_another(model):
    """Catches attention or normalisation over the batch (in evaluation)."""
    model.eval()
    x, y, t = batch()
    alone = torch.cat([outputs(model, x[i : i + 1], y[i : i + 1], t[i : i + 1]) for i in range(4)])
    assert torch.allclose(outputs(model, x, y, t), alone, atol=1e-5)


def test_the_noise_depends_on_step_and_class():
    """Catches a label or a step that is dropped on the way."""
    torch.manual_seed(0)
    model = UNet(10).eval()
    x, y, t = batch()
    base = model(x, t, y)
    assert not torch.allclose(base, model(x, t, (y + 1) % 10), atol=1e-4)
    assert not torch.allclose(base, model(x, t + 50, y), atol=1e-4)
    assert sum(p.numel() for p in model.parameters()) <= 2_000_000


def test_features_are_what_the_classifier_decides_by():
    """Catches features that are taken before or after another layer than the last."""
    torch.manual_seed(0)
    model = Classifier(7).eval()
    x = batch()[0]
    assert model.features(x).shape == (4, 64)
    assert torch.equal(model.head(model.features(x)), model(x))


def test_every_factor_has_a_head_of_its_own_on_the_same_features():
    """Catches heads in another order, or one that sees other features than those that judge."""
    torch.manual_seed(0)
    model = Classifier(7, levels=(2, 5)).eval()
    x = batch()[0]
    classes, two, five = model.heads(x)
    assert torch.equal(classes, model(x)) and two.shape == (4, 2) and five.shape == (4, 5)
    assert torch.equal(five, model.factor_heads[1](model.features(x)))
    assert len(Classifier(7).heads(x)) == 1


def test_every_head_trains_the_features_it_reads():
    """Catches heads on features that are cut off from training: they could tell no factor."""
    torch.manual_seed(0)
    model = Classifier(7, levels=(2, 5))
    for head in range(3):
        model.zero_grad()
        model.heads(batch()[0])[head].square().sum().backward()
        assert model.body[0].weight.grad.abs().sum() > 0


def test_steps_have_different_embeddings():
    """Catches an embedding in which neighbouring steps, or all large ones, look the same."""
    e = time_embedding(torch.arange(1000), 128)
    assert e.shape == (1000, 128)
    distances = torch.cdist(e, e) + 10 * torch.eye(1000)
    assert distances.min() > 0.5
