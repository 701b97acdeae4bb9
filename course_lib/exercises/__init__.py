"""Exercises: `check(name, candidate)` in notebooks, `EXERCISES[name].check(…)` elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from IPython.display import display

from course_lib.errors import CourseError
from course_lib.exercises import autoencoder_basics
from course_lib.exercises.card import Card
from course_lib.exercises.spec import Case, Exercise, Mistake, Verdict

__all__ = ["EXERCISES", "Case", "Exercise", "Mistake", "Verdict", "check"]

NOTEBOOKS = (autoencoder_basics,)
EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for notebook in NOTEBOOKS for exercise in notebook.EXERCISES
}


def check(name: str, candidate: Callable) -> Callable:
    """Show the card; return the candidate where it is right, the course's reference otherwise.

    Raises CourseError for a name that is no exercise.
    """
    if name not in EXERCISES:
        raise CourseError(f"no exercise '{name}'; there are {', '.join(EXERCISES)}")
    exercise = EXERCISES[name]
    verdict = exercise.check(candidate)
    display(Card(verdict))
    return candidate if verdict.passed else exercise.reference
