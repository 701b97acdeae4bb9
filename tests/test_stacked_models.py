"""Several VAEs trained as one: each is what it would be alone."""

import pytest
import torch
from torch.distributions import kl_divergence

from course_lib.losses import ElboTerms, standard_normal
from course_lib.models import MLPVAE, StackedMLPVAE
from course_lib.models.stacked import resized
from course_lib.training import fit

SIZES = (1, 5, 2)


@pytest.fixture
def vaes():
    """Three small ones, with different codes."""
    torch.manual_seed(0)
    return [MLPVAE(n, data_dim=20, hidden=8) for n in SIZES]


def test_each_model_computes_what_it_does_alone(vaes):
    """Catches models or latents that are mixed up, and fillers that cost nats or are decoded."""
    stack, x, z = StackedMLPVAE(vaes), torch.rand(7, 20), torch.randn(3, 7, 5)
    q_z, p_x = stack.encode(x), stack.decode(z)
    for k, vae in enumerate(vaes):
        n, alone = vae.latent_dim, vae.encode(x)
        torch.testing.assert_close(q_z.mean[k, :, :n], alone.mean)
        torch.testing.assert_close(q_z.stddev[k, :, :n], alone.stddev)
        assert (q_z.mean[k, :, n:] == 0).all() and (q_z.stddev[k, :, n:] == 1).all()
        torch.testing.assert_close(p_x.logits[k], vae.decode(z[k, :, :n]).logits)


def test_models_come_apart_as_they_went_in(vaes):
    """Catches a weight that is lost, transposed or another model's."""
    for before, after in zip(vaes, StackedMLPVAE(vaes).apart(), strict=True):
        assert before.latent_dim == after.latent_dim
        for name, value in before.state_dict().items():
            assert torch.equal(after.state_dict()[name], value)


def test_a_model_with_more_latents_is_the_same_model(vaes):
    """Catches σ filled up in the place of μ."""
    x = torch.rand(4, 20)
    wide = resized(vaes[2], 6)
    q_z = wide.encode(x)
    torch.testing.assert_close(q_z.mean[:, :2], vaes[2].encode(x).mean)
    kl = kl_divergence(q_z, standard_normal(q_z.mean)).sum(1)
    alone = vaes[2].encode(x)
    torch.testing.assert_close(kl, kl_divergence(alone, standard_normal(alone.mean)).sum(1))


def test_training_together_is_training_alone(vaes):
    """Catches a loss averaged over models, gradients of fillers, weights that are shared."""
    images = torch.randint(0, 256, (60, 20), generator=torch.Generator().manual_seed(1))
    images = images.to(torch.uint8)
    noise = torch.randn(3, 20, 5, generator=torch.Generator().manual_seed(2))  # one for all steps

    def together(stack, x):
        q_z = stack.encode(x)
        p_x = stack.decode(q_z.mean + q_z.stddev * noise)
        log_lik = p_x.log_prob(x.expand(3, -1, -1)).sum(2)
        kl = kl_divergence(q_z, standard_normal(q_z.mean)).sum(2)
        return (kl - log_lik).mean(1).sum(), ElboTerms(log_lik, kl)

    stack = StackedMLPVAE(vaes)
    list(fit(stack, together, images, epochs=5, batch_size=20, lr=1e-2))
    for k, (vae, trained) in enumerate(zip(vaes, stack.apart(), strict=True)):

        def alone(vae, x, k=k):
            q_z = vae.encode(x)
            p_x = vae.decode(q_z.mean + q_z.stddev * noise[k, :, : vae.latent_dim])
            terms = ElboTerms(
                p_x.log_prob(x).sum(1), kl_divergence(q_z, standard_normal(q_z.mean)).sum(1)
            )
            return (terms.kl - terms.log_lik).mean(), terms

        start = {name: value.clone() for name, value in vae.state_dict().items()}
        list(fit(vae, alone, images, epochs=5, batch_size=20, lr=1e-2))
        for name, value in vae.state_dict().items():
            torch.testing.assert_close(trained.state_dict()[name], value, atol=1e-4, rtol=1e-3)
            assert not torch.equal(start[name], value)
