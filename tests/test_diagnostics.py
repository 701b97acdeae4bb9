"""`examine`: each fault by its name, no fault in sound models, and nothing left changed."""

import dataclasses
import functools
import importlib.util
import re
from pathlib import Path

import broken_models
import pytest
import torch
from broken_models import FACES, FAULTS, SOUND, How, Vae, bce, rate
from torch import nn

from course_lib import checkpoints, datasets, losses
from course_lib.diagnostics import examine, faults
from course_lib.diagnostics.entries import ENTRIES, symptoms_page
from course_lib.diagnostics.measures import Probe
from course_lib.diagnostics.objective import weigh
from course_lib.diagnostics.reading import modules_of, place_of_z, read_code, read_image
from course_lib.errors import CourseError
from course_lib.models import MLPVAE
from course_lib.training import to_float

# True of a model with any of several causes: these say what is seen, and that more is needed.
SYMPTOMS = {"posterior collapse", "codes far from the prior", "one image for every input"}


@pytest.fixture(scope="module")
def digits():
    """Training and held-out images, flat."""
    return broken_models.images()


@pytest.fixture(scope="module")
def made(digits):
    """made(how): the trained model with its images and held-out ones, as it is fed."""

    @functools.cache
    def make(name):
        how = SOUND[name] if name in SOUND else FAULTS[name][1]
        x, unseen = digits
        return broken_models.trained(how, x), how.prepare(x[: how.n_train]), how.prepare(unseen)

    return make


def names(report):
    """What was found, in order."""
    return [finding.name for finding in report.findings]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_first(fault, made):
    """Catches a cause that is taken for another, or not seen at all."""
    model, x, unseen = made(fault)
    report = examine(model.encode, model.decode, x, held_out=unseen, loss=model.loss)
    assert names(report)[0] == FAULTS[fault][0], report
    assert all(finding.evidence for finding in report.findings)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_loss_no_claim_is_wrong(fault, made):
    """Catches a cause named from outside where several look alike."""
    model, x, _ = made(fault)
    report = examine(model.encode, model.decode, x)
    assert set(names(report)) <= {FAULTS[fault][0], "numbers that are not finite", *SYMPTOMS}


@pytest.mark.parametrize("name", SOUND)
def test_no_fault_is_found_in_a_sound_model(name, made):
    """Catches an alarm at a price of β, at batch norm, dropout, squared error, 2 or 64 latents."""
    model, x, unseen = made(name)
    assert names(examine(model.encode, model.decode, x)) == []
    full = examine(model.encode, model.decode, x, held_out=unseen, loss=model.loss)
    assert names(full) == [] and str(full).startswith("✓ nothing found")


def committed():
    """Name to encode, decode, images and loss of the models in data/ that have an encoder."""
    mnist, faces = datasets.load("mnist"), datasets.load("celeba", size=64)
    digit, face = (to_float(data.test.images[:200]) for data in (mnist, faces))
    for n, decoder in ((2, "mnist-decoder-2"), (64, "mnist-decoder-64-beta-1")):
        vae = MLPVAE(n)
        for part in (f"mnist-encoder-{n}", decoder):
            vae.load_state_dict(checkpoints.load(part)[0].state_dict(), strict=False)
        yield part, vae, digit.flatten(1), losses.vae_objective
    squares = losses.autoencoder_objective
    yield "autoencoder", checkpoints.load("mnist-autoencoder-2")[0], digit.flatten(1), squares
    padded = nn.functional.pad(digit, (2, 2, 2, 2))
    yield "denoiser", checkpoints.load("mnist-denoiser")[0], padded, squares
    sprites = datasets.load("sprites").train.images
    few = to_float(sprites[torch.linspace(0, len(sprites) - 1, 200).long()])
    yield "sprites", checkpoints.load("sprites-beta-vae")[0], few, losses.vae_objective
    if faces.stand_in:
        for row in ("ae-20", "ae-128", "ae-1024", "vae-20", "vae-128", "vae-1024", "vae-128-ce",
                    "vae-128-fixed"):  # fmt: skip
            model = checkpoints.load(f"faces-{row}")[0]
            optimal = getattr(model, "log_sigma", None) is not None and "fixed" not in row
            goal = losses.optimal_sigma_objective if optimal else losses.vae_objective
            yield f"faces-{row}", model, face, squares if row.startswith("ae") else goal


def test_no_fault_is_found_in_the_courses_own_models():
    """Catches an alarm at a model that was trained as it should be."""
    seen = []
    for name, model, x, goal in committed():
        report = examine(model.encode, model.decode, x, loss=lambda x, m=model, g=goal: g(m, x)[0])
        assert names(report) == [], f"{name}: {report}"
        seen.append(name)
    assert len(seen) >= 5


@pytest.mark.parametrize("steps", [30, 60, 120])
def test_a_tanh_on_log_var_is_told_from_a_young_model(steps, digits):
    """Catches a bound that is guessed from σ of the images, which a young model has by chance."""
    x, tanh = digits[0], "log σ² behind a tanh"
    for how, wanted in ((How(of_log_var=torch.tanh), True), (How(latents=64), False)):
        model = broken_models.trained(dataclasses.replace(how, steps=steps), x)
        found = names(examine(model.encode, model.decode, x, loss=model.loss))
        assert (tanh in found) == wanted, found


def test_a_model_that_checks_its_pixels_is_examined_as_well(made):
    """Catches an examination that ends at the model's own test of what it is given."""
    model, x, _ = made("plain")

    def strict(x):
        assert 0 <= x.min() <= x.max() <= 1, "pixels outside of [0, 1]"
        return model.encode(x)

    assert names(examine(strict, model.decode, x)) == []


@pytest.fixture(scope="module")
def faces():
    """Training and held-out faces."""
    return broken_models.faces()


@pytest.mark.parametrize("fault", FACES)
def test_faults_of_convolutional_models_of_faces(fault, faces):
    """Catches measurements that hold for flat digits alone, and claims without the loss."""
    want, how = FACES[fault]
    model = broken_models.trained(how, faces[0])
    x, unseen = how.prepare(faces[0][: how.n_train]), how.prepare(faces[1])
    report = examine(model.encode, model.decode, x, held_out=unseen, loss=model.loss)
    assert names(report)[0] == want, report
    bare = set(names(examine(model.encode, model.decode, x)))
    assert bare <= {want, "numbers that are not finite", *SYMPTOMS}


@pytest.mark.parametrize("name", ["plain", "linear output"])
def test_no_fault_is_found_in_a_sound_model_of_faces(name, faces):
    """Catches an alarm at a model that is young, or whose outputs leave [0, 1] a little."""
    model = broken_models.trained(SOUND[name], faces[0])
    report = examine(model.encode, model.decode, faces[0], held_out=faces[1], loss=model.loss)
    assert names(report) == [], report


@pytest.mark.skipif(not importlib.util.find_spec("pythae"), reason="pythae is not installed")
@pytest.mark.parametrize("kind", ["VAE", "BetaVAE", "AE"])
def test_models_of_another_package(kind, digits):
    """Catches an interface that cannot be read, and alarms at models that others have written."""
    from pythae import models

    x, unseen = (part.view(-1, 1, 28, 28) for part in digits)
    torch.manual_seed(0)
    config = getattr(models, f"{kind}Config")(input_dim=(1, 28, 28), latent_dim=8)
    model = getattr(models, kind)(config)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(250):
        loss = model({"data": x[torch.randint(len(x), (128,))]}).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    report = examine(
        model.encoder, model.decoder, x, held_out=unseen, loss=lambda x: model({"data": x}).loss
    )
    assert names(report) == [], report


def state(model):
    """All that an examination may not change."""
    modes = [part.training for part in model.modules()]
    grads = [(p.requires_grad, p.grad) for p in model.parameters()]
    return {k: v.clone() for k, v in model.state_dict().items()}, modes, grads


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training, digits):
    """Catches changed batch norms, modes, gradients, random numbers, frozen or freed weights."""
    model = broken_models.trained(How(batch_norm=True, dropout=0.2, steps=5), digits[0])
    model.train(training)
    model.decoder.eval()
    model.mu.requires_grad_(False)
    model.log_var.weight.grad = torch.ones_like(model.log_var.weight)
    before, generator = state(model), torch.get_rng_state()
    examine(model.encode, model.decode, digits[0], held_out=digits[1], loss=model.loss)
    after = state(model)
    assert before[0].keys() == after[0].keys() and before[1:] == after[1:]
    assert all(torch.equal(before[0][key], after[0][key]) for key in before[0])
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (3.0, 5.0), (1 / 784, 1.0), (1.0, 0.0)])
def test_the_weights_of_a_loss_are_found(a, b, digits):
    """Catches a price that is off: the loss is a times the distortion and b times the rate."""
    how = How(steps=20, distortion=lambda p, x: a * bce(p, x), rate=lambda kl: b * rate(kl))
    model = broken_models.trained(how, digits[0])
    found = weigh(Probe(model.encode, model.decode), model.loss, digits[0][:128], [model])
    assert found.kind == "cross-entropy" and found.explained > 0.999
    assert found.a == pytest.approx(a, rel=1e-3)
    assert found.b == pytest.approx(b, rel=1e-3, abs=1e-6)


def test_what_encoders_return_is_read():
    """Catches μ taken for z, a mapping without its names, a distribution of its own kind."""
    torch.manual_seed(0)
    mu, log_var = torch.randn(9, 3), torch.randn(9, 3)
    z = mu + torch.exp(0.5 * log_var) * torch.randn(9, 3)
    other = mu + torch.exp(0.5 * log_var) * torch.randn(9, 3)
    normal = torch.distributions.Normal(mu, torch.exp(0.5 * log_var))
    for result, again in (
        (normal, ()), (torch.distributions.Independent(normal, 1), ()), ((mu, log_var), ()),
        ((mu, log_var, z), (mu, log_var, other)), ((z, mu, log_var), (other, mu, log_var)),
        ((mu, log_var, z), (mu, log_var, z)), ({"embedding": mu, "log_covariance": log_var}, ()),
    ):  # fmt: skip
        code = read_code(result, place_of_z(result, again))
        assert torch.equal(code.mu, mu)
        torch.testing.assert_close(code.sigma, torch.exp(0.5 * log_var))
        assert code.z is None or torch.equal(code.z, z)
    assert read_code(z).sigma is None
    image = torch.rand(9, 1, 4, 4)
    for result in (image, (image, "more"), {"reconstruction": image}):
        assert torch.equal(read_image(result).mean, image)


def test_the_networks_behind_functions_are_found():
    """Catches a batch norm that is left in train(), and parameters that nobody looked at."""
    model, other = Vae(How(latents=2, hidden=8)), nn.Linear(3, 2)
    assert modules_of(model.encode, model.decode) == [model]
    assert modules_of(lambda x: model.encode(x)) == [model]
    assert modules_of(functools.partial(lambda m, x: m(x), other)) == [other]
    assert set(modules_of(other, model.encoder[0])) == {other, model.encoder[0]}

    class Wrapper:
        def __init__(self):
            self.net = other

        def encode(self, x):
            return self.net(x)

    assert modules_of(Wrapper().encode) == [other]
    assert modules_of(None, torch.relu) == []


def test_every_fault_has_its_entry():
    """Catches a fault without a repair, an entry of none, a page that lacks one."""
    text = faults.__file__ and Path(faults.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'Finding\(\s*"([^"]+)"', text)) | set(
        re.findall(r'^        "([^"]+)": m\.pixels', text, re.MULTILINE)
    )
    assert named == set(ENTRIES)
    assert {want for want, _ in FAULTS.values()} <= named
    page = symptoms_page()
    for name, entry in ENTRIES.items():
        assert f"\n## {name[0].upper()}{name[1:]}\n" in page and entry.repair in page


X = torch.rand(16, 12)
WRONG = {
    "few images": ((lambda x: x, lambda z: z, X[:4]), {}, "at least 8"),
    "no tensor": ((lambda x: x, lambda z: z, [1, 2]), {}, "at least 8"),
    "all the same": ((lambda x: x, lambda z: z, torch.ones(9, 4)), {}, "all the same"),
    "not finite": ((lambda x: x, lambda z: z, X * torch.nan), {}, "not finite"),
    "words": ((lambda x: "z", lambda z: z, X), {}, "encode must return"),
    "one code": ((lambda x: x[:1], lambda z: z, X), {}, "1 rows for 16"),
    "other size": ((lambda x: x[:, :2], lambda z: z, X), {}, "2 numbers per image"),
    "no image": ((lambda x: x, lambda z: None, X), {}, "decode must return"),
    "no number": ((lambda x: x, lambda z: z, X), {"loss": lambda x: x}, "one number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_refused_in_one_line(case):
    """Catches a traceback from the inside, or a verdict on nothing."""
    arguments, more, said = WRONG[case]
    with pytest.raises(CourseError, match=said) as error:
        examine(*arguments, **more)
    assert "\n" not in str(error.value)


def test_a_report_is_a_card_and_a_text(made):
    """Catches text that is markup, a card without its measurements, a finding without evidence."""
    model, x, _ = made("KL 50")
    report = examine(model.encode, model.decode, x, loss=model.loss)
    text, page = str(report), report._repr_html_()
    assert text.startswith("✗ the KL weighs too much") and "nats of rate" in text
    assert "<b>the KL weighs too much</b>" in page and page.count("<tr>") == len(report.lines) + 1
    assert "&lt;" not in page or "<script" not in page
