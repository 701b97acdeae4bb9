"""Mutation tests over the whole registry, and the behaviour of `check` and its card."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from alternatives import ALTERNATIVES
from torch import nn

from course_lib.errors import CourseError
from course_lib.exercises import EXERCISES, check, references, spec
from course_lib.exercises.card import Card
from course_lib.exercises.spec import PUBLIC_SEED, Case, Exercise, Mistake

SEEDS = [PUBLIC_SEED, 1, 977]
MISTAKES = [(e, m) for e in EXERCISES.values() for m in e.mistakes]
OTHERS = [(EXERCISES[name], f) for name, answers in ALTERNATIVES.items() for f in answers]


def test_the_registry_spells_the_names_of_the_curriculum():
    """Catches an exercise that is missing, renamed, or registered under another name."""
    assert list(EXERCISES) == [
        "pca_reconstruct", "LinearAutoencoder", "principal_angles", "bce_nats", "train_step",
        "conv_out", "conv_transpose_out", "ConvAutoencoder", "corrupt", "denoising_loss", "psnr",
        "anomaly_auroc", "knn_retrieve",
        "reparameterize", "kl_std_normal", "kl_monte_carlo", "score_gradient", "pathwise_gradient",
        "elbo", "iwae_bound", "find_the_bug",
        "rate_distortion", "active_units", "beta_schedule", "free_bits", "water_filling",
        "mutual_information_gap",
        "gaussian_nll", "optimal_log_sigma", "slerp", "attribute_vector", "frechet_distance",
        "condition", "nearest_training", "group_report",
    ]  # fmt: skip
    assert all(name == exercise.name for name, exercise in EXERCISES.items())


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda x: getattr(x, "name", ""))
def test_every_mistake_is_rejected_with_its_own_hint(exercise, mistake):
    """Catches a check that lets a known wrong answer through, or answers it with another's hint."""
    for seed in SEEDS:
        verdict = exercise.check(mistake.wrong, seed)
        assert not verdict.passed
        assert verdict.status == "wrong"
        assert verdict.hint == mistake.hint
        assert verdict.obtained
        assert verdict.case is not None


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.name)
def test_the_reference_is_accepted(exercise):
    """Catches a case that the course's own solution fails, on any seed."""
    for seed in [*SEEDS, *range(5)]:
        assert exercise.check(exercise.reference, seed).passed


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.name)
def test_every_exercise_has_an_independent_alternative(exercise):
    """Catches an exercise whose check was only ever tried on its own reference."""
    assert ALTERNATIVES[exercise.name]


@pytest.mark.parametrize(("exercise", "answer"), OTHERS)
def test_right_answers_written_otherwise_are_accepted(exercise, answer):
    """Catches a check that insists on one way of writing the answer."""
    for seed in SEEDS:
        verdict = exercise.check(answer, seed)
        assert verdict.passed, verdict


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.name)
def test_judging_records_from_another_process_gives_the_same_verdict(exercise):
    """Catches a judge that needs more of a candidate than its records as JSON."""
    for candidate in [exercise.reference, *(m.wrong for m in exercise.mistakes)]:
        records = json.loads(json.dumps(exercise.records(candidate, 5)))
        assert exercise.judge(records, 5).status == exercise.check(candidate, 5).status


def test_records_of_other_cases_do_not_pass():
    """Catches a judge that accepts records made on another seed, or too few of them."""
    exercise = EXERCISES["bce_nats"]
    records = exercise.records(exercise.reference, 5)
    assert not exercise.judge(records, 6).passed
    assert not exercise.judge(records[:-1], 5).passed


def raising(*args):
    raise ValueError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")


def unfinished(*args):
    raise NotImplementedError


def in_place(x, logits):
    x -= 0.5
    return F.binary_cross_entropy_with_logits(logits, x + 0.5, reduction="none").sum(1)


def column(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1, keepdim=True)


def times_three(x, logits):
    return 3 * F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (raising, "shapes do not fit"),
        (lambda x, logits: None, "return"),
        (lambda x, logits: "text", "not a tensor"),
        (lambda x, logits: {"a": 1}, "not a tensor"),
        (lambda x: x, "arguments do not fit"),
        (in_place, "changes its input x"),
        (column, "shape (3, 1), expected (3,)"),
        (times_three, "3 times"),
        (lambda x, logits: x.sum(1) * math.nan, "NaN"),
        (lambda x, logits: x.sum(1) * 1j, "not a tensor"),
        (lambda x, logits: exit(), "SystemExit"),
        (None, "TypeError"),
    ],
)
def test_unknown_wrong_answers_get_a_telling_hint(candidate, words):
    """Catches a diagnosis that has nothing to say, or says it about the wrong thing."""
    verdict = EXERCISES["bce_nats"].check(candidate)
    assert not verdict.passed
    assert words in verdict.hint


def test_results_as_numpy_arrays_and_floats_count():
    """Catches a comparison that cares for the container instead of the numbers."""
    right = EXERCISES["bce_nats"].reference
    assert EXERCISES["bce_nats"].check(lambda x, logits: right(x, logits).numpy()).passed
    assert EXERCISES["bce_nats"].check(lambda x, logits: right(x, logits).tolist()).passed
    assert not EXERCISES["bce_nats"].check(lambda x, logits: np.full(3, np.nan)).passed


def test_a_right_function_that_returns_arrays_gives_tensors_to_the_notebook(capsys):
    """Catches a right answer after which a later cell fails on the type of its result."""
    right = EXERCISES["bce_nats"].reference
    adapted = check("bce_nats", lambda x, logits: right(x, logits).numpy())
    assert isinstance(adapted(torch.rand(2, 3), torch.zeros(2, 3)), torch.Tensor)
    assert "returns no tensor" in capsys.readouterr().out


def test_numbers_stay_numbers_where_the_exercise_asks_for_one(monkeypatch, capsys):
    """Catches a right answer that is handed on as a tensor where the notebook counts with it."""
    monkeypatch.setattr(spec, "reference", lambda name: lambda n: n + 1)
    cases = lambda seed: [Case("a", {"n": 3})]  # noqa: E731
    monkeypatch.setitem(EXERCISES, "next", Exercise("next", 1, cases))
    own = lambda n: 1 + n  # noqa: E731
    assert check("next", own) is own
    assert "returns no tensor" not in capsys.readouterr().out


def test_a_property_is_explained_by_the_exercise_that_looks_at_it(monkeypatch):
    """Catches a hint on a property that comes from another exercise, or does not come at all."""
    monkeypatch.setattr(spec, "reference", lambda name: lambda n: True)
    cases = lambda seed: [Case("a", {"n": 3})]  # noqa: E731
    observe = lambda f, case: {"it is even": f(3)}  # noqa: E731
    told = Exercise("even", 1, cases, observe=observe, property_hints={"it is even": "Make it so."})
    assert told.check(lambda n: False).hint == "Make it so."
    silent = Exercise("even", 1, cases, observe=observe)
    assert "values differ" in silent.check(lambda n: False).hint


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.name)
def test_property_hints_belong_to_properties_that_are_looked_at(exercise):
    """Catches a hint that nobody ever sees, because the property has another name."""
    records = exercise.records(exercise.reference, PUBLIC_SEED)
    looked_at = {name for record in records for name in record["value"]}
    assert set(exercise.property_hints) <= looked_at


def detached(x, logits):
    return (x + logits).sort(1)


@pytest.mark.parametrize(
    ("name", "candidate", "words"),
    [
        ("bce_nats", detached, "sort of 2 tensors"),
        ("bce_nats", lambda x, y: 7 * EXERCISES["bce_nats"].reference(x, y), "7 times"),
        ("train_step", lambda m, x, o: (x - m.encode(x)).sum().item(), "shapes do not fit"),
        ("train_step", lambda m, x, o: (x - m(x)).backward(), "not one number"),
    ],
)
def test_hints_name_the_cause_and_not_another_mistake(name, candidate, words):
    """Catches an error that is taken for a known mistake because both raise the same type."""
    assert words in EXERCISES[name].check(candidate).hint


class Frozen(nn.Module):
    def __init__(self, D, k):
        super().__init__()
        self.a, self.b = nn.Linear(D, k), nn.Linear(k, D)

    def encode(self, x):
        return self.a(x).detach()

    def decode(self, z):
        return self.b(z)


class Centring(Frozen):
    def encode(self, x):
        return self.a(x - x.mean(0))


class Listed(Frozen):
    def __init__(self, D, k):
        nn.Module.__init__(self)
        self.layers = [nn.Linear(D, k).double(), nn.Linear(k, D).double()]
        self.a, self.b = (lambda x: self.layers[0](x)), (lambda z: self.layers[1](z))

    def encode(self, x):
        return self.a(x)


class Deep(Frozen):
    def __init__(self, D, k):
        super().__init__(D, k)
        self.a = nn.Sequential(nn.Linear(D, 2 * D), nn.ReLU(), nn.Linear(2 * D, k))

    def encode(self, x):
        return self.a(x)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (Frozen, "no gradient"),
        (Centring, "depends on the others"),
        (Listed, "No parameter is registered"),
        (Deep, "activation between pixels and code"),
    ],
)
def test_modules_that_only_look_right_are_told_which_property_fails(candidate, words):
    """Catches a module that has the right shapes but cannot learn, leaks, or is not linear."""
    verdict = EXERCISES["LinearAutoencoder"].check(candidate)
    assert verdict.status == "wrong"
    assert words in verdict.hint


def test_check_returns_the_students_own_function_only_if_right(capsys):
    """Catches a notebook that goes on with the course's code although the student's is right."""
    own = lambda x, logits: EXERCISES["bce_nats"].reference(x, logits)  # noqa: E731
    assert check("bce_nats", own) is own
    assert check("bce_nats", unfinished) is EXERCISES["bce_nats"].reference
    assert check("bce_nats", column) is EXERCISES["bce_nats"].reference
    shown = capsys.readouterr().out
    assert "✓ bce_nats" in shown
    assert "○ bce_nats: not attempted" in shown
    assert "✗ bce_nats" in shown


def test_check_of_an_unknown_name_says_which_there_are():
    """Catches a typing error in a check cell that ends in a KeyError."""
    with pytest.raises(CourseError, match="no exercise 'bce'; there are pca_reconstruct"):
        check("bce", unfinished)


def test_a_candidate_does_not_move_the_random_numbers_of_the_notebook():
    """Catches a check after which every later training gives other weights."""
    torch.manual_seed(0)
    EXERCISES["LinearAutoencoder"].check(EXERCISES["LinearAutoencoder"].reference)
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))


def test_cards_show_the_case_and_escape_html():
    """Catches a card without input, value and hint, or one that renders what a student returns."""
    verdict = EXERCISES["bce_nats"].check(lambda x, logits: "<script>alert(1)</script>")
    page, text = Card(verdict)._repr_html_(), repr(Card(verdict))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for word in ("Hint", "Input", "Yours", "Expected", "logits"):
        assert word in page
        assert word in text


def test_a_right_step_with_another_loss_scale_is_told_so():
    """Catches a student who compares a mean over pixels with the sums of the course unaware."""

    def mean_step(model, x, optimizer):
        loss = F.mse_loss(model.decode(model.encode(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    verdict = EXERCISES["train_step"].check(mean_step)
    assert verdict.passed
    assert "0.1667 times" in verdict.hint


def test_the_mistake_that_agrees_where_the_answer_is_wrong_is_recognised(monkeypatch):
    """Catches a recognition that needs the same results on the cases that are right as well."""
    cases = lambda seed: [Case("a", {"n": 3}), Case("zero", {"n": 0})]  # noqa: E731
    slips = (
        Mistake("minus", lambda n: -n - 1, "The sign."),
        Mistake("one more", lambda n: n + 1, "One too many."),
    )
    monkeypatch.setattr(spec, "reference", lambda name: lambda n: n)
    exercise = Exercise("identity", 1, cases, slips)
    assert exercise.check(lambda n: n if n else 1).hint == "One too many."
    assert exercise.check(lambda n: n + 1).hint == "One too many."


def test_a_code_that_is_bypassed_is_rejected():
    """Catches a linear autoencoder that hands the image to its decoder behind the code's back."""

    class Bypass(EXERCISES["LinearAutoencoder"].reference):
        def encode(self, x):
            self.x = x
            return super().encode(x)

        def decode(self, z):
            return super().decode(z) + self.x[: len(z)]

    assert not EXERCISES["LinearAutoencoder"].check(Bypass).passed


def test_missing_solutions_are_one_clear_line(monkeypatch, tmp_path):
    """Catches a KeyError in a course folder that has lost its solutions."""
    monkeypatch.setattr(references, "SOLUTIONS", tmp_path)
    with pytest.raises(CourseError, match="no solution of 'bce_nats'"):
        _ = EXERCISES["bce_nats"].reference


def test_modules_that_are_not_modules_are_told_so():
    """Catches an observer that fails on a plain class instead of naming what is missing."""

    class Plain:
        def __init__(self, D, k):
            self.W = torch.randn(D, k)

    verdict = EXERCISES["LinearAutoencoder"].check(Plain)
    assert "nn.Module" in verdict.obtained

    class NoSuper(nn.Module):
        def __init__(self, D, k):
            self.encoder = nn.Linear(D, k)

    assert "super().__init__()" in EXERCISES["LinearAutoencoder"].check(NoSuper).hint
