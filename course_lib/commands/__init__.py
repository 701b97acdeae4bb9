"""The commands of `python -m course_lib`: one module each, imported when it is called.

A command module has `add_arguments(parser)`, `run(args) -> int` and, where it can refuse arguments
before anything is installed, `check(args)`. Where they differ from these, also
`NEEDS_PACKAGES = True` (install before `run`), `NEEDS = ()` (extras and groups of pyproject.toml to
install) and `PASSES_ON = False` (keep unknown arguments in `args.rest`). Nothing outside the
standard library is imported at the top of one.
"""

SUMMARIES = {
    "lab": "open the course in JupyterLab",
    "test": "run the tests; arguments go on to pytest",
    "doctor": "show what is installed and what to do about each red line",
    "data": "list, download or import data sets",
    "build": "make the notebooks from their sources again",
    "grade": "grade a folder of submissions, or the grader itself with --self-test",
    "train": "train the checkpoints of data/ again",
    "demo": "walk through codes in a browser, for lectures",
    "bench": "run the benchmarks",
    "site": "build the site: notebooks with outputs, demo, syllabus, search",
}
