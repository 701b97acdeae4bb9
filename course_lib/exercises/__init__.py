"""Exercises: `check(name, candidate)` in notebooks, `EXERCISES[name].check(…)` elsewhere."""

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Iterator

from IPython import get_ipython
from IPython.display import display

from course_lib.errors import CourseError
from course_lib.exercises.card import Card
from course_lib.exercises.edits import is_reference
from course_lib.exercises.spec import PUBLIC_SEED, Case, Exercise, Mistake, Verdict, call
from course_lib.exercises.thumbnails import Thumbnails, thumbnails_of

__all__ = ["EXERCISES", "PUBLIC_SEED", "Case", "Exercise", "Mistake", "Verdict", "call", "check"]

NOTEBOOKS = {  # package: the modules of its exercises, as the notebook meets them
    "autoencoder_basics": "pca_reconstruct linear_autoencoder train_step principal_angles bce_nats",
    "convolutional_autoencoder": "conv_out conv_transpose_out conv_autoencoder knn_retrieve "
    "corrupt denoising_loss psnr anomaly_auroc",
    "variational_autoencoder": "reparameterize kl_std_normal kl_monte_carlo score_gradient "
    "pathwise_gradient elbo iwae_bound find_the_bug",
    "beta_vae": "rate_distortion active_units water_filling beta_schedule free_bits "
    "mutual_information_gap",
    "generation": "gaussian_nll optimal_log_sigma frechet_distance attribute_vector slerp "
    "condition nearest_training group_report",
    "beyond_the_vae": "quantize straight_through codebook_usage bits_per_dim "
    "hierarchical_elbo patchify random_masking debiasing_weights",
    "when_training_fails": "spread_between_images kl_per_latent_from_samples train_eval_gap "
    "diagnose",
}
EXERCISES: dict[str, Exercise] = {}
_TOGETHER: dict[str, set[str]] = {}  # name of an exercise to all names of its notebook
_RIGHT: set[str] = set()  # what this kernel has seen right answers to
for _package, _modules in NOTEBOOKS.items():
    _names: set[str] = set()
    for _module in _modules.split():
        _found = importlib.import_module(f"{__name__}.{_package}.{_module}").EXERCISE
        EXERCISES[_found.name] = _found
        _names.add(_found.name)
        _TOGETHER[_found.name] = _names


class NotRight(Exception):
    """Raised by `check` under nbgrader alone, which takes points from exceptions."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # one line in a notebook


@contextlib.contextmanager
def _said_if_slow(name: str) -> Iterator[None]:
    """Says that a check is running where it takes longer than anybody waits without a word."""
    shown, said = [], {"text/html": f"checking {name} …", "text/plain": ""}
    say = threading.Timer(0.4, lambda: shown.append(display(said, raw=True, display_id=True)))
    if get_ipython():
        say.start()
    try:
        yield
    finally:
        say.cancel()
    if get_ipython():
        say.join()
    for handle in shown:
        handle.update({"text/html": "", "text/plain": ""}, raw=True)


def _judged(exercise: Exercise, candidate: Callable) -> tuple[Verdict, Thumbnails | None]:
    """The verdict, and what can be seen of it."""
    records = exercise.records(candidate, PUBLIC_SEED)
    verdict = exercise.judge(records, PUBLIC_SEED)
    if verdict.status == "wrong":
        with contextlib.suppress(Exception):  # no check fails because of a picture
            return verdict, thumbnails_of(exercise, records, PUBLIC_SEED)
    return verdict, None


def check(name: str, candidate: Callable) -> Callable:
    """Show the card; return the candidate where it is right, the course's reference otherwise.

    Raises CourseError for a name that is no exercise; NotRight where nbgrader is running, after the
    name was bound.
    """
    if name not in EXERCISES:
        raise CourseError(f"no exercise '{name}'; there are {', '.join(EXERCISES)}")
    exercise, shell = EXERCISES[name], get_ipython()
    twice = is_reference(candidate)  # the check cell was run again, and not the student's own
    with _said_if_slow(name):
        verdict, pictures = (
            (Verdict(name, "again"), None) if twice else _judged(exercise, candidate)
        )
    if verdict.passed:
        _RIGHT.add(name)
    all_of_them = _TOGETHER[name]
    done = f"{len(_RIGHT & all_of_them)} of {len(all_of_them)} done." if verdict.passed else ""
    display(Card(verdict, done=done, pictures=pictures))
    if verdict.passed:
        return candidate
    if shell and os.environ.get("NBGRADER_EXECUTION") in ("autograde", "validate"):
        shell.user_ns[name] = exercise.reference
        raise NotRight(Card(verdict).head())
    return exercise.reference
