"""Over the whole registry: mutation tests, and what `check`, its hints and its card do."""

import importlib
import json
import math
import re
import time

import pytest
import torch
import torch.nn.functional as F
from IPython.core.interactiveshell import InteractiveShell

from course_lib import exercises
from course_lib.card import card_html
from course_lib.errors import CourseError
from course_lib.exercises import EXERCISES, NOTEBOOKS, PUBLIC_SEED, check, diagnosis, edits
from course_lib.exercises.card import Card
from course_lib.exercises.records import plain
from course_lib.exercises.spec import Case, Exercise

SEEDS = [PUBLIC_SEED, 1, 977]
MANY = range(100, 105)
MISTAKES = [(e, m) for e in EXERCISES.values() for m in e.mistakes]
ALTERNATIVES = {
    name: answers
    for package in NOTEBOOKS
    for name, answers in importlib.import_module(f"alternatives.{package}").ALTERNATIVES.items()
}
OTHERS = [(EXERCISES[name], f) for name, answers in ALTERNATIVES.items() for f in answers]
each = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.name)


# --- the registry ---------------------------------------------------------------------------------


def test_the_registry_holds_the_exercises_of_the_notebooks(root):
    """Catches an exercise that is missing, renamed, or in another order than it is met."""
    found = []
    for source in sorted((root / "solutions").glob("[0-9]*.py")):
        found += re.findall(r'^# %% check="(\w+)"', source.read_text(encoding="utf-8"), re.M)
    assert sorted(EXERCISES) == sorted(found)
    assert all(name == exercise.name for name, exercise in EXERCISES.items())


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda x: getattr(x, "name", ""))
def test_every_mistake_is_rejected_with_its_own_hint(exercise, mistake):
    """Catches a check that lets a known wrong answer through, or answers it with another's hint."""
    for seed in SEEDS:
        verdict = exercise.check(mistake.wrong, seed)
        assert verdict.status == "wrong"
        assert verdict.obtained and verdict.case is not None and verdict.hint
        assert "The values differ" not in verdict.hint
        if mistake.hint:
            assert (verdict.mistake, verdict.hint) == (mistake.name, mistake.hint)


@each
def test_the_reference_and_other_right_answers_are_accepted(exercise):
    """Catches a check that insists on one way of writing, or fails right answers on some seeds."""
    others = ALTERNATIVES[exercise.name]
    assert others
    for answer in [exercise.reference, *others]:
        for seed in [*SEEDS, *MANY]:
            verdict = exercise.check(answer, seed)
            assert verdict.passed, (answer, seed, verdict)


@each
def test_judging_records_from_another_process_gives_the_same_verdict(exercise):
    """Catches a judge that needs more of a candidate than its records as JSON."""
    for candidate in [exercise.reference, *(m.wrong for m in exercise.mistakes[:5])]:
        records = json.loads(json.dumps(exercise.records(candidate, 5)))
        assert exercise.judge(records, 5) == exercise.check(candidate, 5)
    assert not exercise.judge(exercise.records(exercise.reference, 5)[:-1], 5).passed


ALIKE = (  # cases that have one right answer, whatever the seed
    "black and white pixels, logits of ±150", "no latent is active", "no latent lives",
    "three codes, the one above equals the query", "three codes, the last equals the query",
    "every latent below its floor", "every factor is copied by two latents",
    "small errors: none at all", "small errors, less than the clamp allows",
    '"linear", step / total = 0', '"cyclic", step / total = 0', '"cyclic", step / total = 0.25',
    '"cyclic", step / total = 0.5',
)  # fmt: skip


@each
def test_records_are_numbers_of_one_seed(exercise):
    """Catches a verdict made beside a student's code, and a record that could be stored."""
    seeds = range(30, 34)
    records = [exercise.records(exercise.reference, seed) for seed in seeds]
    assert not re.search(r": (true|false|null)\b", json.dumps(records[0]))
    assert len(json.dumps(records[0])) < 2_000_000
    for i, seed in enumerate(seeds):
        assert exercise.judge(records[i], seed).passed
        assert not exercise.judge(records[i - 1], seed).passed
    cases = [exercise.cases(seed) for seed in seeds]
    for i, case in enumerate(cases[0]):
        inputs = {json.dumps(plain(drawn[i].args)) for drawn in cases}
        made = {json.dumps(record[i]) for record in records}
        assert len(made) > 1 or len(inputs) == 1 or case.about in ALIKE, case.about


@each
def test_unfit_raw_values_are_no_answer(exercise):
    """Catches properties that raise, or agree, where a made-up record holds something else."""
    right = exercise.records(exercise.reference, PUBLIC_SEED)
    odd = (None, True, "text", 3, {}, {"type": "x"}, plain(0.5), plain([math.nan]))
    for value in odd:
        assert not exercise.judge([{"outcome": "value", "value": value}] * len(right), 20).passed


@each
def test_property_hints_belong_to_properties_that_are_looked_at(exercise):
    """Catches a hint that nobody ever sees, because the property has another name."""
    records = exercise.records(exercise.reference, PUBLIC_SEED)
    judged = [exercise.judged(record, PUBLIC_SEED, i) for i, record in enumerate(records)]
    looked_at = {name for record in judged for name in record["value"]}
    assert all(
        any(diagnosis.hint_for(x, {name: "!"}) for x in looked_at) for name in exercise.hints
    )


def test_shared_hints_belong_to_properties_that_several_exercises_have():
    """Catches a shared hint whose property has another name, or is that of one exercise."""
    looked_at = []
    for exercise in EXERCISES.values():
        record = exercise.records(exercise.reference, PUBLIC_SEED)[0]
        looked_at.append([*exercise.judged(record, PUBLIC_SEED, 0)["value"]])
    for name in diagnosis.shared_hints("properties.toml"):
        users = [
            names for names in looked_at if any(diagnosis.hint_for(x, {name: "!"}) for x in names)
        ]
        assert len(users) > 1, name
    shared = diagnosis.hint_for("gradients reach mu", diagnosis.shared_hints("properties.toml"))
    assert "no gradient reaches `mu`" in shared


@each
def test_hints_are_short_and_hold_no_line_of_the_solution(exercise):
    """Catches a hint that can be pasted instead of understood, or that nobody reads to its end."""
    _, cell = edits._found(exercise.name)
    lines = [x.strip() for part in edits.MARKED.finditer(cell) for x in part["code"].split("\n")]
    body = [x.split("  #")[0].removeprefix("return ") for x in lines if len(x) > 16]
    shared = diagnosis.shared_hints("properties.toml")
    hints = [m.hint for m in exercise.mistakes] + [*exercise.hints.values(), *shared.values()]
    assert not [(line, hint) for line in body for hint in hints if line in hint]
    assert not [hint for hint in hints if len(hint.split()) > 60]


@each
def test_the_first_wrong_answer_is_judged_at_once(exercise):
    """Catches a check at which students wait: every known mistake is compared, none kept ready."""
    edits._compiled.cache_clear()
    start = time.process_time()
    assert not exercise.check(lambda *args, **kwargs: torch.tensor(0.123), 31).passed
    assert time.process_time() - start < 2


# --- mistakes as edits ----------------------------------------------------------------------------

CELL = '''
def f(x):
    """Twice."""
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION
'''


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({"x + x": "x"}, "y = x\n    return y"),
        ({"y = x": "y = 2", "return y": "return -y"}, "y = 2 + x\n    return -y"),
        ("return x**2", "return x**2"),
        ("if x:\n    return 1\nreturn 2", "if x:\n        return 1\n    return 2"),
        ("def f(x):\n    return 5", "return 5"),
    ],
)
def test_edits_change_what_stands_between_the_markers(change, made):
    """Catches an edit that lands elsewhere, or a body with a wrong indentation."""
    assert made in edits.edited(CELL, change, "f", "f.toml: 'a'")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Twice": "Thrice"}, "'Twice' occurs 0 times"),
        ({"x": "z"}, "'x' occurs 2 times"),
        ({"x + x": "(x"}, "is no Python"),
        ({"x + x": "x + x"}, "changes nothing"),
        ({}, "write { "),
        (3, "write { "),
    ],
)
def test_a_mistake_that_does_not_fit_its_solution_is_named(change, words):
    """Catches mistakes that drift apart from a solution that was rewritten."""
    with pytest.raises(CourseError, match=f"f.toml: 'a'.*{words}"):
        edits.edited(CELL, change, "f", "f.toml: 'a'")


def test_tables_name_what_is_wrong_with_them(tmp_path):
    """Catches a KeyError for a misspelt part, a twin, or text that is no TOML."""
    twice = "".join(f'["Hint {n}."]\n"a" = {{ "0.5" = "{n}" }}\n' for n in (1, 2))
    for text, words in (("hints = 1", "'hints'"), ("[hint", "xpected"), (twice, "twice")):
        path = tmp_path / f"{abs(hash(text))}.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(CourseError, match=words):
            edits.read_table(path, "kl_std_normal")


def test_a_hint_stands_beside_a_mistake_or_over_several(tmp_path):
    """Catches a hint taken for an edit, or lost where several mistakes spell out the same."""
    path = tmp_path / "kl_std_normal.toml"
    rows = ('"a" = { "0.5" = "1", hint = "H." }', '"b" = { "0.5" = "2", hint = "H." }')
    path.write_text("\n".join([*rows, '["H."]', '"c" = { "0.5" = "3" }']), encoding="utf-8")
    found = edits.read_table(path, "kl_std_normal").mistakes
    assert [(mistake.name, mistake.hint) for mistake in found] == [(x, "H.") for x in "abc"]
    assert all("hint" not in mistake.code for mistake in found)


def test_missing_solutions_are_one_clear_line(monkeypatch, tmp_path):
    """Catches a KeyError in a course folder that has lost its solutions."""
    monkeypatch.setattr(edits, "SOLUTIONS", tmp_path)
    with pytest.raises(CourseError, match="no solution of 'bce_nats'"):
        _ = EXERCISES["bce_nats"].reference


# --- hints on answers that no table knows -------------------------------------------------------


def bce(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def in_place(x, logits):
    x -= 0.5
    return bce(x + 0.5, logits).sum(1)


def own_type_error(x, logits):
    return torch.exp().sum(1)


def own_comparison(x, logits):
    if x != logits:
        return x.sum(1)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (lambda x, logits: None, "returns nothing"),
        (lambda x, logits: print(x.sum(1)), "prints its result"),
        (lambda x, logits: "text", "returns a str"),
        (lambda x, logits: bce(x, logits).sum(1).numpy(), "returns an array of float32"),
        (lambda x, logits: bce(x, logits).sum(1).tolist(), "returns a list"),
        (lambda x, logits: bce(x, logits).sum(1).double(), "tensor of float64"),
        (lambda x: x, "has to take the arguments of the given signature"),
        (own_type_error, "The line `return torch.exp().sum(1)` raises TypeError"),
        (own_comparison, "neither true nor false"),
        (in_place, "changes its input `x`"),
        (lambda x, logits: bce(x, logits).sum(1, keepdim=True), "a dimension of size 1"),
        (lambda x, logits: bce(x, logits).mean(1), "average over the pixels"),
        (lambda x, logits: bce(x, logits).sum(0), "sum over the images of the batch"),
        (lambda x, logits: bce(x, logits), "keep one value for each of the pixels"),
        (lambda x, logits: 2 * bce(x, logits).sum(1), "2 times"),
        (lambda x, logits: 3 * bce(x, logits).sum(1), "3 times"),
        (lambda x, logits: bce(x, logits).sum(1) / math.log(2), "bits"),
        (lambda x, logits: bce(x, logits).sum(1).sqrt(), "root"),
        (lambda x, logits: bce(x, logits).sum(1).log(), "logarithm of the expected"),
        (lambda x, logits: bce(x, logits).sum(1).roll(1), "place too late"),
        (lambda x, logits: bce(x, logits).sum(1).sort().values, "order is not"),
        (lambda x, logits: x.sum(1) * math.nan, "NaN"),
        (lambda x, logits: exit(), "SystemExit"),
    ],
)
def test_unknown_wrong_answers_get_a_telling_hint(candidate, words):
    """Catches a diagnosis that has nothing to say, or says it about the wrong thing."""
    for seed in SEEDS:
        verdict = EXERCISES["bce_nats"].check(candidate, seed)
        assert verdict.status == "wrong"
        assert words in verdict.hint


def test_a_mistake_is_named_only_if_it_fits_every_case(monkeypatch, tmp_path):
    """Catches a hint that explains the failing cases and contradicts the others."""
    mistakes = "['The sign.']\n'minus' = { 'return 2 * n' = 'return -2 * n' }\n"
    (tmp_path / "double.toml").write_text(mistakes, encoding="utf-8")
    solution = '# %% exercise="double"\ndef double(n):\n    ### BEGIN SOLUTION\n    return 2 * n\n'
    (tmp_path / "01_x.py").write_text(f"{solution}    ### END SOLUTION\n", encoding="utf-8")
    monkeypatch.setattr(edits, "SOLUTIONS", tmp_path)
    cases = "def cases(seed):\n    return [Case('a', {'n': 3}), Case('zero', {'n': 5})]\n"
    world = {"Case": Case}
    exec(compile(cases, str(tmp_path / "double.py"), "exec"), world)
    exercise = Exercise("double", 1, world["cases"])
    assert exercise.check(lambda n: -2 * n).hint == "The sign."
    half = exercise.check(lambda n: -6 if n == 3 else 10)
    assert "sign" not in half.hint.lower() and (half.right_cases, half.n_cases) == (1, 2)
    assert "1 of 2 are right" in repr(Card(half))


# --- check and its card ---------------------------------------------------------------------------


def unfinished(*args):
    raise NotImplementedError


def test_check_returns_the_students_own_function_only_if_right(capsys):
    """Catches a notebook that goes on with the course's code although the student's is right."""
    own = lambda x, logits: bce(x, logits).sum(1)  # noqa: E731
    assert check("bce_nats", own) is own
    assert check("bce_nats", unfinished) is EXERCISES["bce_nats"].reference
    assert check("bce_nats", lambda x, logits: bce(x, logits).mean(1)) is not own
    shown = capsys.readouterr().out
    assert "✓ bce_nats" in shown and "○ bce_nats: not attempted" in shown
    assert "≈ bce_nats: nearly" in shown


@each
def test_the_courses_own_version_is_not_taken_for_an_answer(exercise, capsys):
    """Catches a check cell that, run twice, calls an open exercise right."""
    first = check(exercise.name, unfinished)
    again = check(exercise.name, first)
    said = capsys.readouterr().out
    assert again is first and "✓" not in said
    assert "Run your own cell above" in said


def test_check_of_an_unknown_name_says_which_there_are():
    """Catches a typing error in a check cell that ends in a KeyError."""
    with pytest.raises(CourseError, match="no exercise 'bce'; there are pca_reconstruct"):
        check("bce", unfinished)


def test_nbgrader_sees_an_exception_and_the_notebook_its_reference(monkeypatch):
    """Catches points that nbgrader gives to everybody, since no check raises."""
    shell = InteractiveShell.instance()
    shell.user_ns["wrong"] = lambda x, logits: bce(x, logits).mean(1)
    code = "from course_lib.exercises import check\nbce_nats = check('bce_nats', wrong)"
    assert shell.run_cell(code).error_in_exec is None
    for mode in ("autograde", "validate"):
        monkeypatch.setenv("NBGRADER_EXECUTION", mode)
        shell.user_ns.pop("bce_nats")
        assert "bce_nats" in str(shell.run_cell(code).error_in_exec)
        assert shell.user_ns["bce_nats"] is EXERCISES["bce_nats"].reference
    InteractiveShell.clear_instance()


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
    assert "<script>" not in page and "&lt;script&gt;" in page
    for word in ("Seen", "Hint", "Input", "Yours", "Expected", "logits"):
        assert word in page and word in text
    lines = dict(Card(verdict).lines())
    assert lines["Yours"] == "<script>alert(1)</script>" != lines["Expected"]
    assert re.fullmatch(r"x = \[(\S+, ){4}…\]  shape .*; logits = \[.*", lines["Input"])
    hint = Card(exercises.Verdict("x", "wrong", hint="Use `sum`.", case=Case("only", {})))
    assert "Hint: Use sum." in repr(hint) and "Cases" not in repr(hint)
    two = exercises.Verdict("x", "wrong", case=Case("c", {}), right_cases=1, n_cases=2)
    assert dict(Card(two).lines())["Cases"] == "1 of 2 are right"
    assert "Expected" not in repr(Card(two))


def test_a_card_marks_the_first_number_that_differs():
    """Catches two rows of digits between which the reader has to look for the fault."""
    values = [("Yours", "[1.5, 2.0004, 7, <8>]  shape (4,)"), ("Expected", "[1.5, 2, 8, 9]  shape")]
    page = card_html("wrong", "head", [("Hint", "h"), ("Case", "c"), *values])
    assert "[1.5, 2.0004, <mark>7</mark>, &lt;8&gt;]" in page and "2, <mark>8</mark>, 9]" in page
    assert page.index("Hint") < page.index("Yours") < page.index("<details") < page.index(">Case<")
    for one, other in (("1", "1"), ("2.0004", "2"), ("x: 1", "x: 1.0"), ("", "5")):
        assert "<mark>" not in card_html("wrong", "head", [("Yours", one), ("Expected", other)])
    for one, other in (("False", "True"), ("2.02", "2"), ("nan", "0"), ("(5, 3)", "(5, 4)")):
        page = card_html("wrong", "head", [("Yours", one), ("Expected", other)])
        first, second = (re.escape(text.split(", ")[-1].strip(")")) for text in (one, other))
        assert re.search(rf"<mark>{first}</mark>.*<mark>{second}</mark>", page)
    assert "[…, <mark>1</mark>, 2]  shape</pre>" in card_html(
        "wrong", "head", [("Yours", "[…, 1, 2]  shape"), ("Expected", "[…, 3, 2]  shape")]
    )


def test_a_card_is_a_grid_whose_case_is_folded():
    """Catches labels out of line, an input that hides the hint, and text that a dark page hides."""
    lines = [(label, f"{label} `code`") for label in ("Hint", "Cases", "Case", "Input", "Yours")]
    page = card_html("wrong", "a <head>", lines)
    shown, folded = page.split("<details style")
    order = ["a &lt;head&gt;", ">Hint<", ">Yours<"]
    assert sorted(order, key=shown.index) == order
    assert [folded.index(f">{label}<") for label in ("Cases", "Case", "Input")]
    assert "<details open" not in page and folded.startswith("='")
    assert shown.count("display:grid") == folded.count("display:grid") == 1
    assert shown.count("<code>code</code>") == 1 and "Yours `code`</pre>" in shown
    card, values = re.search(r"style='([^']*)'>", page)[1], re.search(r"<pre style='([^']*)'", page)
    assert "background:white;color:#111;" in card and "border-left:6px solid #D55E00" in card
    assert {"white-space:pre-wrap", "background:none", "color:#111"} <= {*values[1].split(";")}
    assert "role='status'" in page and "<details" not in card_html("right", "head", [])


def test_the_green_card_says_how_many_are_done(monkeypatch):
    """Catches a count of other notebooks' exercises, and one that a wrong answer raises."""
    shown = []
    monkeypatch.setattr(exercises, "display", lambda card: shown.append(card.head()))
    monkeypatch.setattr(exercises, "_RIGHT", {"psnr", "diagnose"})
    reference = EXERCISES["conv_out"].reference
    for answer in (lambda *sizes: reference(*sizes), lambda *sizes: 0):
        check("conv_out", answer)
    assert shown[0].endswith("from here on. 2 of 8 done.") and "done" not in shown[1]
    check("conv_out", lambda *sizes: reference(*sizes))
    check("bce_nats", lambda x, logits: bce(x, logits).sum(1))
    check("conv_transpose_out", lambda *sizes: 0)
    check("conv_out", lambda *sizes: reference(*sizes))
    assert [head[-12:] for head in shown[2:4]] == ["2 of 8 done.", "1 of 5 done."]
    assert "done" not in shown[4] and shown[5].endswith(" 2 of 8 done.")
    assert Card(exercises.Verdict("psnr", "right")).head().endswith("from here on.")


def test_the_difference_shown_is_where_the_numbers_differ():
    """Catches a card on which six equal numbers stand beside six equal numbers."""
    right = torch.arange(20.0)
    wrong = right.clone()
    wrong[15] = 9
    pair = [{"outcome": "value", "value": plain(each)} for each in (wrong, right)]
    got, want = diagnosis.first_difference(*pair, rtol=0, atol=0)
    assert got == "[…, 13, 14, 9, 16, 17, 18, …]  shape (20,)"
    assert want.startswith("[…, 13, 14, 15,")


@each
def test_no_card_shows_a_dictionary(exercise):
    """Catches Python's own text for a record where the student needs a number."""
    for mistake in exercise.mistakes:
        card = repr(Card(exercise.check(mistake.wrong)))
        assert "{'" not in card and "'numbers'" not in card


@pytest.mark.parametrize("name", EXERCISES)
def test_settings_of_the_notebook_do_not_matter(name):
    """Catches a right answer refused since an early cell set a default dtype or no gradients."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            verdict = EXERCISES[name].check(EXERCISES[name].reference, seed=31)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(before)
    assert verdict.passed, verdict.hint
