"""Honest but unusual submissions: where an answer stands, magics, context, words, large files."""

import json
import sys
from types import SimpleNamespace

import nbformat
import pytest
from grading_course import NAMES, STEM, WRONG_KL, Desk, answer, cell_of, code, early, make_course

from course_lib.grading.sandbox.limits import Limits
from course_lib.grading.sandbox.mounts import ROOT, make_place
from course_lib.grading.submission import host_paths, notebook_run, reading
from course_lib.grading.submission.answers_run import Runner, run
from course_lib.grading.submission.judge import catalogue, judge
from course_lib.grading.submission.reading import Cell, Unfit, read_cells
from course_lib.grading.submission.restore import Course, make_plan
from course_lib.grading.submission.slices import ways
from course_lib.grading.submission.words import words_beyond

pytestmark = pytest.mark.grading
KL, SEED = "kl_std_normal", 77
LIMITS = Limits(seconds=120, cell_seconds=20)
EXERCISE, CHECK = f"exercise-{KL}", f"check-{KL}"
TERMS = "mu**2 + log_var.exp() - 1 - log_var"
RIGHT_KL = WRONG_KL.replace(".mean(-1)", ".sum(-1)")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Submissions to the short course, as plans and as what came of them alone."""
    folder = tmp_path_factory.mktemp("honest")
    desk = Desk(make_course(folder), folder / "submissions")
    desk.entry = catalogue(desk.root)["notebooks"][STEM]
    copies = [[Cell(c["kind"], c["source"], c["id"], tags=tuple(c["tags"]))
               for c in desk.entry[kind]] for kind in ("skeleton", "solution")]  # fmt: skip
    desk.course = Course(STEM, *copies, desk.entry["points"])
    desk.place, desk.runner = make_place(folder / "alone", root=desk.root), None
    yield desk
    if desk.runner:
        desk.runner.stop("", "")


def planned(desk, change=None, **options):
    """The plan of a submission."""
    cells, flags = read_cells(desk.hand_in("honest", change, **options), file_mb=20)
    return make_plan(desk.course, cells, flags)


def verdicts(desk, plan, name=KL):
    """What the judge says of each way in which an exercise is run."""
    found = []
    for pieces in ways(name, plan):
        if desk.runner is None or not desk.runner.alive():
            desk.runner = Runner(desk.place, level="process", limits=LIMITS, root=ROOT)
        told = desk.runner.ask({"name": name, "seed": SEED, "pieces": pieces})
        found.append(judge(name, told["payload"], SEED) if told["payload"] else told)
    return [verdict.get("status", verdict.get("lost")) for verdict in found]


def placed(*sources, at, drop=()):
    """A change: new cells at this cell, or at the end; some are dropped."""

    def change(notebook):
        ids = [cell["id"] for cell in notebook["cells"]]
        place = ids.index(at) if at else len(ids)
        notebook["cells"][place:place] = [code(source) for source in sources]
        notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in drop]

    return change


def on_top(source, cell_id=CHECK):
    """A change: code above what a cell holds."""

    def change(notebook):
        cell = cell_of(notebook, cell_id)
        cell["source"] = f"{source}\n{''.join(cell['source'])}"

    return change


def all_in_one(desk, *, drop=False, at="exercise-reparameterize"):
    """A change: every answer in one new cell."""
    source = "\n\n".join("".join(cell_of(desk.solved, f"exercise-{n}")["source"]) for n in NAMES)
    return placed(source, at=at, drop=[f"exercise-{n}" for n in NAMES] if drop else ())


def checked_elsewhere(notebook):
    """The answer has another name, and the check cell takes that."""
    cell_of(notebook, EXERCISE)["source"] = RIGHT_KL.replace(KL, "mine")
    cell_of(notebook, CHECK)["source"] = f"{KL} = check({KL!r}, mine)"


def mended_below(notebook):
    """A first try is wrong; below stand a second one and its check, once more."""
    cell_of(notebook, EXERCISE)["source"] = WRONG_KL
    again = json.loads(json.dumps(cell_of(notebook, CHECK)))
    place = notebook["cells"].index(cell_of(notebook, CHECK)) + 1
    notebook["cells"][place:place] = [code(RIGHT_KL), again]


PLACES = {
    "below the stub": (placed(RIGHT_KL, at=CHECK), ""),
    "above the stub": (placed(RIGHT_KL, at=EXERCISE), ""),
    "far above": (placed(RIGHT_KL, at="exercise-reparameterize"), ""),
    "no stub": (placed(RIGHT_KL, at=EXERCISE, drop=[EXERCISE]), "lost its metadata"),
    "a lambda": (placed(f"{KL} = lambda mu, log_var: 0.5 * ({TERMS}).sum(-1)", at=CHECK), ""),
    "below its check": (placed(RIGHT_KL, at=None), "is answered below its check"),
    "in another exercise's cell": (on_top(RIGHT_KL, "exercise-reparameterize"), ""),
    "in a later exercise's cell": (on_top(RIGHT_KL, "exercise-kl_monte_carlo"), "below its check"),
    "in the check": (on_top(RIGHT_KL), f"the cell {CHECK} was changed"),
    "helper in the check": (on_top(f"def terms(mu, log_var):\n    return {TERMS}\n"
                                   f"def {KL}(mu, log_var):\n"
                                   "    return terms(mu, log_var).sum(-1) / 2"),
                            "was changed"),
    "above the parameters": (on_top(RIGHT_KL, "parameters"), "parameters was changed"),
    "two definitions": (placed(WRONG_KL, RIGHT_KL, at=CHECK), "has 2 cells; the last"),
    "another name checked": (checked_elsewhere, "was changed"),
    "mended below": (mended_below, "has 2 cells; the last"),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_where_an_answer_stands(desk, case):
    """Catches an answer that is not found, or that its stub overwrites."""
    change, flag = PLACES[case]
    plan = planned(desk, change, untouched=True)
    assert KL in plan.attempted and verdicts(desk, plan)[0] == "right", plan.flags
    assert flag in " ".join(plan.flags)
    kept = {cell.id: cell.source for cell in plan.cells}
    assert all(kept[f"check-{n}"] == desk.course.cell(f"check-{n}").source for n in NAMES)


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("at", ["exercise-reparameterize", CHECK, None])
def test_all_answers_in_one_cell(desk, drop, at):
    """Catches one cell that counts for one exercise alone, wherever it stands."""
    plan = planned(desk, all_in_one(desk, drop=drop, at=at), untouched=True)
    assert plan.attempted == [*NAMES]
    assert [verdicts(desk, plan, name)[0] for name in NAMES] == ["right"] * 3


def test_code_in_a_check_is_kept(desk):
    """Catches code on top of a check that the notebook loses, or a check that does not run."""
    for nameless in (False, True):
        source = f"SCALE = 2\n{desk.course.cell(CHECK).source}\nprint(SCALE)"
        change = (placed(source, at=CHECK, drop=[CHECK]) if nameless
                  else answer_in(CHECK, source))  # fmt: skip
        cells = planned(desk, change).cells
        place = [cell.id for cell in cells].index(CHECK)
        assert cells[place - 1].source == "SCALE = 2\nprint(SCALE)"
        assert [cell.id for cell in cells].count(CHECK) == 1


def answer_in(cell_id, source):
    """A change: another source for one cell."""
    return lambda notebook: cell_of(notebook, cell_id).update(source=source)


def test_last_definition_above_the_check_counts(desk):
    """Catches a right first try, or one below the check, that counts in place of a wrong one."""
    assert verdicts(desk, planned(desk, placed(WRONG_KL, at=CHECK)))[0] == "wrong"
    below = placed(RIGHT_KL, at=None)
    wrong = planned(desk, lambda n: answer(KL, WRONG_KL)(n) or below(n))
    assert verdicts(desk, wrong)[0] == "wrong"
    untouched = planned(desk, untouched=True)
    assert untouched.attempted == [] and untouched.missing == [] and untouched.flags == []


def test_ordinary_submissions_pay_nothing(desk):
    """Catches a second run, or a flag, for who only solved the exercises."""
    helper = early(f"import numpy as np\ndef terms(mu, log_var):\n    return {TERMS}")
    source = RIGHT_KL.replace(f"({TERMS})", "terms(mu, log_var)")
    with_helper = planned(desk, lambda n: answer(KL, source)(n) or helper(n))
    for plan in (planned(desk), with_helper):
        assert plan.flags == [] and plan.attempted == [*NAMES]
        assert [len(ways(name, plan)) for name in NAMES] == [1, 1, 1]
    assert verdicts(desk, with_helper) == ["right"]


MAGICS = {
    "%%time": f"%%time\n{RIGHT_KL}",
    "nested": f"%%time\n%%capture out\n{RIGHT_KL}",
    "%%capture": f"%%capture --no-stderr out\nprint(3)\n{RIGHT_KL}",
    "%%prun": f"%%prun -q\n{RIGHT_KL}",
    "unknown cell magic": f"%%nb_black\n{RIGHT_KL}",
    "%matplotlib": f"%matplotlib inline\n%config InlineBackend.figure_format = 'svg'\n{RIGHT_KL}",
    "%load_ext": f"%load_ext tensorboard\n%autoreload 2\n{RIGHT_KL}",
    "%time": f"%time HALF = 0.5\n{RIGHT_KL.replace('0.5', 'HALF')}",
    "!pip": f"!pip install einops\n%pip install einops\n{RIGHT_KL}",
    "x = !ls": f"files = !ls\nprint(files, len(files))\n{RIGHT_KL}",
    "display": f"display(torch.ones(2))\n{RIGHT_KL}\ndisplay({KL});",
    "get_ipython": f"get_ipython().run_line_magic('who', '')\n{RIGHT_KL}",
    "imported": "from IPython import get_ipython\nfrom IPython.display import display, HTML\n"
    f"get_ipython().ast_node_interactivity = 'all'\ndisplay(HTML('x'))\n{RIGHT_KL}",
    "help": f"torch.exp?\n?torch.sum\n{RIGHT_KL}\n{KL}??",
    "await": f"import asyncio\nawait asyncio.sleep(0)\n{RIGHT_KL}",
    "semicolon": f"{RIGHT_KL}\n{KL}(torch.ones(1, 2), torch.ones(1, 2));",
    "indented": "\n".join(f"    {line}" for line in RIGHT_KL.splitlines()),
    "prompts": ">>> HALF = 0.5\n" + RIGHT_KL.replace("0.5", "HALF"),
    "source": f"import inspect\n{RIGHT_KL}\nassert 'mu**2' in inspect.getsource({KL})\n"
    f"right, {KL} = {KL}, None\n{KL} = right",
    "script": "@torch.jit.script\n"
    + RIGHT_KL.replace("(mu, log_var)", "(mu: Tensor, log_var: Tensor)"),
}  # fmt: skip


@pytest.mark.parametrize("case", MAGICS)
def test_cells_are_ipythons(desk, case):
    """Catches a cell that a notebook runs and the grader does not."""
    stub = case != "indented"
    plan = planned(desk, placed(MAGICS[case], at=CHECK) if stub else answer(KL, MAGICS[case]),
                   untouched=stub)  # fmt: skip
    assert KL in plan.attempted and verdicts(desk, plan)[0] == "right"


def test_other_languages_are_no_answers(desk):
    """Catches a cell of a shell or a file that is run as Python."""
    for magic in ("%%bash", "%%writefile kl.py", "%%html"):
        plan = planned(desk, placed(f"{magic}\n{RIGHT_KL}", at=CHECK), untouched=True)
        assert KL not in plan.attempted


def using(expression):
    """An answer that takes something from elsewhere."""
    return f"def {KL}(mu, log_var):\n    return {expression}\n"


CONTEXTS = {
    "a table filled later": (using(f"TABLE['half'] * ({TERMS}).sum(-1)"),
                             ["TABLE = {}", "TABLE['half'] = 0.5"]),
    "a list grown": (using(f"sum(PARTS) * ({TERMS}).sum(-1)"),
                     ["PARTS = []\nfor i in range(2):\n    PARTS.append(0.25)"]),
    "a table filled below": ((using(f"TABLE['half'] * ({TERMS}).sum(-1)")),
                             ["TABLE = dict()"], ["TABLE.update(half=0.5)"]),
    "a global that a call sets": (using(f"HALF * ({TERMS}).sum(-1)"),
                                  ["def settings():\n    global HALF\n    HALF = 0.5",
                                   "settings()"]),
    "a method of Tensor": (using(f"({TERMS}).halved().sum(-1)"),
                           ["def halved(x):\n    return x / 2", "Tensor.halved = halved"]),
    "an attribute": (using(f"torch.half_of({TERMS}).sum(-1)"),
                     ["torch.half_of = lambda x: x / 2"]),
    "a wider helper": ("def half(x):\n    return x / 2\n" + using(f"half({TERMS}, -1)"), [],
                       ["def half(x, axis):\n    return x.sum(axis) / 2"]),
    "a class filled later": (using(f"Config.half * ({TERMS}).sum(-1)"),
                             ["class Config:\n    pass", "setattr(Config, 'half', 0.5)"]),
    "a registry": (using(f"RULES['half']({TERMS}).sum(-1)"),
                   ["RULES = {}\ndef rule(f):\n    RULES[f.__name__] = f\n    return f",
                    "@rule\ndef half(x):\n    return x / 2"]),
    "a name in a text": (using(f"globals()['HALF'] * ({TERMS}).sum(-1)"), ["HALF = 0.5"]),
    "after an error": (using(f"TABLE[0] * ({TERMS}).sum(-1)"),
                       ["TABLE = []", "1 / 0", "TABLE.append(0.5)"]),
    "from the solution": (using(f"PARTS[0] * ({TERMS}).sum(-1)"),
                          ["PARTS = []", "PARTS.append(math.sqrt(0.25))"]),
    "in an exercise's cell": (using(f"PARTS[0] * ({TERMS}).sum(-1)"), ["PARTS = []", (
        "def reparameterize(mu, log_var, eps):\n    return mu\nPARTS.append(0.5)")]),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTEXTS)
def test_what_stands_around_counts(desk, case):
    """Catches an answer that is right among the student's cells and nowhere else."""
    source, above, below = (*CONTEXTS[case], [])[:3]

    def change(notebook):
        answer(KL, source)(notebook)
        placed(*above, at=EXERCISE)(notebook)
        placed(*below, at=CHECK)(notebook)

    plan = planned(desk, change)
    found = verdicts(desk, plan)
    assert found[0] != "right" and found[1] == "right"


@pytest.mark.parametrize(
    "setting",
    ["torch.set_default_dtype(torch.float64)", "torch.set_grad_enabled(False)",
     "torch.set_default_device('meta')"],
)  # fmt: skip
def test_settings_of_torch_do_not_matter(desk, setting):
    """Catches an answer judged on other numbers than it was written for."""
    source = using(f"torch.full((), 0.5) * ({TERMS}).sum(-1) + torch.zeros(len(mu))")

    def change(notebook):
        answer(KL, f"{setting}\n{source}")(notebook)

    assert verdicts(desk, planned(desk, change))[0] == "right"


CONTEXT_OF_THE_COURSE = """\
records = fit(model, data)
model = VAE(784)
points = torch.ones(3)
for step in range(10):
    points = points + 1
"""


def test_training_of_the_course_is_not_run(desk):
    """Catches a whole run that trains the course's models for a student's plot."""
    training = Cell("code", CONTEXT_OF_THE_COURSE)
    place = [cell.id for cell in desk.course.solution].index("exercise-reparameterize")
    copies = [[*cells[:place], training, *cells[place:]]
              for cells in (desk.course.skeleton, desk.course.solution)]  # fmt: skip
    course = Course(STEM, *copies, desk.course.points)
    change = placed("print(records, model, points, kl_std_normal)", at=CHECK)
    cells, flags = read_cells(desk.hand_in("training", change), file_mb=20)
    cells.insert(place, training)
    first, whole = ways(KL, make_plan(course, cells, flags))
    sources = [source for where, source in whole if where == "needed"]
    assert not any("fit" in source or "step" in source for source in sources)
    assert "points = torch.ones(3)" in sources and len(first) < len(whole)


def test_both_ways_are_said(desk, tmp_path):
    """Catches a second way that is not run or not said, and one that runs for nothing."""
    source, above, *_ = CONTEXTS["a table filled later"]
    plan = planned(desk, lambda n: answer(KL, source)(n) or placed(*above, at=EXERCISE)(n))
    told = []
    place = make_place(tmp_path, root=desk.root)
    seeds = dict.fromkeys(NAMES, SEED)
    run(plan, place, level="process", limits=LIMITS, seeds=seeds, root=ROOT,
        say=lambda **event: told.append(event))  # fmt: skip
    assert [len(event["runs"]) for event in told] == [1, 2, 2]
    payloads = [entry["payload"] for entry in told[1]["runs"]]
    assert [judge(KL, payload, SEED)["status"] for payload in payloads] == ["wrong", "right"]


HONEST_WORDS = [
    "half_background = 3", "x = torch.stack([mu, mu])", "from course_lib.exercises import check",
    "'a stack of f_backs'", "import numpy as np; np.ctypeslib", "layer.exit_code = 1",
    "def stack(x): return x", "from course_lib import losses, plots",
]  # fmt: skip
WORDS = {
    "import sys; sys._getframe(1)": "_getframe", "getattr(f, 'f_back')": "f_back",
    "import inspect; inspect.stack()": "inspect.stack", "import os; os._exit(0)": "_exit",
    "from inspect import stack": "inspect import stack", "import ctypes": "ctypes",
    "class S:\n    def __array__(self): pass": "__array__",
    "from course_lib.exercises import edits": "course_lib.exercises import edits",
    "import course_lib.exercises.spec": "course_lib.exercises.spec",
    "from course_lib.grading import inside": "course_lib.grading",
}  # fmt: skip


def words(desk, source):
    """Words that are said of an answer."""
    plan = planned(desk, answer(KL, source))
    return words_beyond(KL, ways(KL, plan), plan)


def test_words(desk):
    """Catches common code that is flagged, and reaching beyond that is not."""
    for line in HONEST_WORDS:
        assert words(desk, f"{line}\n{RIGHT_KL}") == [], line
    for line, word in WORDS.items():
        assert words(desk, f"{line}\n{RIGHT_KL}") == [word], line


OWN = {
    f"from course_lib.losses import {KL}": f"losses.{KL}",
    f"from course_lib.losses import kl_terms as {KL}": "losses.kl_terms",
    f"from course_lib import losses\n{KL} = losses.{KL}": f"losses.{KL}",
    f"import course_lib.losses\n{KL} = course_lib.losses.{KL}": f"losses.{KL}",
    "from course_lib import losses as l\n" + using(f"l.{KL}(mu, log_var)"): f"losses.{KL}",
    f"from course_lib.losses import x\n{KL} = lambda mu, log_var: x(mu, log_var)": "losses.x",
    "from course_lib.losses import x\n" + using("x(mu, log_var) * 0.5"): "",
    "from course_lib.losses import x\n" + using("torch.sum(mu)"): "",
    RIGHT_KL: "",
}


@pytest.mark.parametrize("source", OWN)
def test_the_courses_own_function_is_named(desk, source):
    """Catches an answer that only passes on what the course's package holds."""
    told = f"the course's own function {OWN[source]}"
    assert words(desk, source) == ([told] if OWN[source] else [])


def large(megabytes, **parts):
    """A change: outputs of this size in one cell."""

    def change(notebook):
        text = {"output_type": "stream", "name": "stdout", "text": "ß🧪\\n" * megabytes * 2**17}
        notebook["cells"][-1] |= {"outputs": [text]} | parts

    return change


def widgets(notebook):
    """Widgets that remember much."""
    state = {str(i): {"state": {}, "more": "x" * 2_000} for i in range(20_000)}
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": state}


def figures(notebook):
    """A plot of half a million small parts."""
    notebook["cells"][-1]["outputs"] = [{"data": {"x": [[]] * 500_000}, "outputs": []}]


SIZES = {
    "long texts": large(30), "widgets": widgets, "many parts": figures,
    "pasted pictures": large(0, attachments={"a.png": {"image/png": "x" * 30 * 2**20}}),
    "the word": early('x = {"outputs": [1, "]"]}'),
}  # fmt: skip


@pytest.mark.parametrize("case", SIZES)
def test_outputs_do_not_count(desk, case):
    """Catches a notebook that is refused for what it shows, or loses a cell with that."""
    plan = planned(desk, SIZES[case])
    assert len(plan.cells) == len(desk.solved["cells"]) + (case == "the word")
    assert plan.attempted == [*NAMES] and plan.flags == []


@pytest.mark.parametrize("case", ["source", "not closed", "brackets", "cut off"])
def test_sizes_that_are_refused(desk, case, monkeypatch):
    """Catches a file that is large without its outputs, or takes minutes to be passed over."""
    monkeypatch.setattr(reading, "MAX_SHOWN", 1_000)
    shown = b'{"cells": [{"cell_type": "code", "source": "1", "outputs": ['
    raw = {"source": json.dumps({"cells": [code("x" * 21 * 2**20)]}).encode(),
           "not closed": shown + b'"' + b"x" * 21 * 2**20,
           "brackets": shown + b"[]," * 2_000 + b"[]]}]}",
           "cut off": shown + b"[[1,"}[case]  # fmt: skip
    with pytest.raises(Unfit) as unfit:
        read_cells(desk.hand_in("large", raw=raw), file_mb=20)
    assert unfit.value.status == ("unreadable" if case == "cut off" else "too_large")


def test_no_path_of_the_host_is_shown(desk, tmp_path):
    """Catches a folder of the instructor's machine in the executed notebook."""
    place = make_place(tmp_path / "run-1", root=desk.root)
    shown = "import sys, tempfile\nprint(sys.prefix, tempfile.gettempdir())\ntorch.ones(2) @ 'x'"
    traced = "from course_lib.errors import nothing"
    plan = SimpleNamespace(cells=[Cell("code", source, f"c{i}") for i, source in enumerate(
        ["import torch, json", shown, traced, "json.loads('{')"])])  # fmt: skip
    notebook_run.run(plan, place, level="process", limits=LIMITS, seeds={}, root=ROOT,
                     say=lambda **event: None)  # fmt: skip
    text = (place.scratch / "executed.ipynb").read_text(encoding="utf-8")
    said = json.dumps([cell.outputs for cell in nbformat.reads(text, as_version=4).cells])
    assert "ImportError" in said and "JSONDecodeError" in said and "/course/course_lib" in said
    for path in (str(tmp_path), sys.prefix, sys.base_prefix):
        assert path not in said
    assert host_paths.remover(place)(json.dumps(str(tmp_path / "run-1" / "x"))) == '"/tmp/x"'
