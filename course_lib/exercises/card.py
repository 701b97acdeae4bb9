"""The card under an exercise: what was checked, what came out, and the hint."""

import re

from course_lib.card import LOOKS, card_html, pictures_html
from course_lib.exercises.diagnosis import short
from course_lib.exercises.records import plain
from course_lib.exercises.spec import Verdict
from course_lib.exercises.thumbnails import Thumbnails


class Card:
    """Shows itself in a notebook as HTML, elsewhere as text.

    done: what stands last in the head; pictures: what the HTML shows below the values.
    """

    def __init__(
        self, verdict: Verdict, *, done: str = "", pictures: Thumbnails | None = None
    ) -> None:
        self.verdict, self.done, self.pictures = verdict, done, pictures

    @property
    def look(self) -> str:
        """Which of the looks of `course_lib.card` this verdict has."""
        return "near" if self.verdict.near else self.verdict.status

    def lines(self) -> list[tuple[str, str]]:
        """Label and text of each line below the head."""
        verdict = self.verdict
        found = []
        if verdict.mistake:
            found.append(("Seen", verdict.mistake))
        if verdict.hint:
            found.append(("Hint", verdict.hint))
        if verdict.case is not None:
            inputs = [f"{name} = {_input(arg)}" for name, arg in verdict.case.args.items()]
            if verdict.n_cases > 1:
                found.append(("Cases", f"{verdict.right_cases} of {verdict.n_cases} are right"))
            found.append(("Case", verdict.case.about))
            found.append(("Input", "; ".join(inputs)))
            found.append(("Yours", verdict.obtained))
        if verdict.expected:
            found.append(("Expected", verdict.expected))
        return found

    def head(self) -> str:
        """The sign, the name and the verdict in words."""
        sign, _, words = LOOKS[self.look]
        return f"{sign} {self.verdict.name}: {words} {self.done}".rstrip()

    def __repr__(self) -> str:
        body = (f"  {label}: {re.sub('`', '', text)}" for label, text in self.lines())
        return "\n".join([self.head(), *body])

    def _repr_html_(self) -> str:
        shown = self.pictures
        below = pictures_html(shown.yours, shown.expected, shown.about) if shown else ""
        return card_html(self.look, self.head(), self.lines(), pictures=below)


def _input(arg: object) -> str:
    return short(plain(arg), most=4)
