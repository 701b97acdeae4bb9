"""One file, which one or several students handed in: run once, judged once, told to each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.grading.batch import store
from course_lib.grading.intake import Submission
from course_lib.grading.sandbox.limits import LEVELS, Limits
from course_lib.grading.submission.engine import Ran, new_record
from course_lib.grading.submission.feedback import write_results


@dataclass(frozen=True)
class Engine:
    """What grades one submission, and what that depends on.

    run(path, stage=…, stem=…, secret=…, …) gives what came of a stage, assess(ran, sha256=…,
    secret=…) the verdicts; run_parts(stem) by name the versions and digests on which a run depends,
    judge_digest(stem) all on which a verdict does; prepare(stem) makes a machine ready.
    """

    run: Callable[..., Ran]
    assess: Callable[..., dict]
    run_parts: Callable[[str], dict[str, str]]
    judge_digest: Callable[[str], str]
    prepare: Callable[[str], None] = lambda stem: None


@dataclass(frozen=True)
class Job:
    """One file: who handed it in, with the folder of each, and what its results are kept by."""

    submissions: tuple[Submission, ...]
    out: Path
    stem: str
    secret: str
    limits: Limits
    require_isolation: str | None
    run_key: str
    judge_digest: str

    @property
    def one(self) -> Submission:
        return self.submissions[0]

    @property
    def folders(self) -> list[Path]:
        return [self.out / store.STUDENTS / one.folder for one in self.submissions]

    def kept(self) -> dict[str, Ran]:
        """By stage what came of earlier runs, where they were of just this and apart enough."""
        for folder in self.folders:
            ran = store.load(folder / store.RUN, self.run_key).get("ran", {})
            if ran and self._apart(ran):
                there = (folder / store.FEEDBACK).is_file()
                return {k: v for k, v in ran.items() if k != "notebook" or there}
        return {}

    def _apart(self, ran: dict[str, Ran]) -> bool:
        least = LEVELS.index(self.require_isolation or LEVELS[0])
        return all(
            LEVELS.index(stage["level"]) >= least or stage["unfit"] for stage in ran.values()
        )

    def judge_key(self, ran: dict[str, Ran]) -> str:
        """What a record of these runs is kept by."""
        return store.key_of(self.run_key, self.judge_digest, [*ran])

    def done(self, stage: str) -> list[dict]:
        """The records of all who handed it in, if this stage has run and today's judge made them;
        a notebook whose answers could not be run has to wait for these."""
        ran = self.kept()
        key = self.judge_key(ran)
        found = [store.load(folder / store.RECORD, key) for folder in self.folders]
        if stage != "answers" and not ran:
            return [
                json.loads((f / store.RECORD).read_text(encoding="utf-8")) for f in self.folders
            ]
        return found if _has(ran, stage) and all(found) else []

    def grade(self, stage: str, engine: Engine, path: Path) -> list[dict]:
        """The records of all who handed it in, put in place; only what is missing is made."""
        ran, executed = self.kept(), None
        if not _has(ran, stage):
            new = self._run(stage, engine, path)
            if "failed" in new:  # not kept: tried again by the next run
                known = self._failed(new["failed"], ran, engine)
                return [self._install(known, None, {}, one) for one in self.submissions]
            executed = new.pop("executed", None)
            ran = {**ran, stage: new}
        known = self._assessed(ran, engine)
        executed = executed or self._executed(ran)
        return [self._install(known, executed, ran, one) for one in self.submissions]

    def _failed(self, failed: dict[str, str], ran: dict[str, Ran], engine: Engine) -> dict:
        """What is known where the grader itself could not do a stage; answers keep their points."""
        if not ran:
            return {**failed, "key": ""}
        known = self._assessed(ran, engine)
        flag = f"the notebook could not be run for its figures: {failed['reason']}"
        return {**known, "flags": [*known.get("flags", []), flag], "key": ""}

    def _assessed(self, ran: dict[str, Ran], engine: Engine) -> dict:
        """The verdicts; where the judge fails, why, which the next run tries again."""
        try:
            known = engine.assess(ran, sha256=self.one.sha256, secret=self.secret)
        except Exception as error:
            return {**failure(error), "key": ""}
        return {**known, "key": self.judge_key(ran), "grader": self.judge_digest}

    def _run(self, stage: str, engine: Engine, path: Path) -> Ran:
        try:
            return engine.run(
                path,
                stage=stage,
                stem=self.stem,
                secret=self.secret,
                limits=self.limits,
                require_isolation=self.require_isolation,
                hidden=(self.out,),
            )
        except CourseError:
            raise
        except Exception as error:
            return {"failed": failure(error)}

    def _executed(self, ran: dict[str, Ran]) -> str | None:
        """The notebook as an earlier run left it."""
        places = [folder / store.FEEDBACK for folder in self.folders]
        there = [place for place in places if place.is_file()] if "notebook" in ran else []
        return there[0].read_text(encoding="utf-8") if there else None

    def _install(
        self, known: dict, executed: str | None, ran: dict[str, Ran], one: Submission
    ) -> dict:
        """Write what is known of one student, the record last."""
        folder = self.out / store.STUDENTS / one.folder
        folder.mkdir(parents=True, exist_ok=True)
        if ran:
            store.write(folder / store.RUN, json.dumps({"key": self.run_key, "ran": ran}))
        return write_results(folder, record_of(one, self.stem, **known), executed)


def record_of(one: Submission, stem: str, **known: Any) -> dict:
    """The record of a submission, of which this is known."""
    return new_record(student=one.student, file=one.file, sha256=one.sha256, stem=stem) | known


def failure(error: Exception) -> dict[str, str]:
    """Status and reason where the grader itself failed."""
    what = f"the grader failed: {type(error).__name__}: {error}"
    return {"status": "error", "reason": " ".join(what.split())[:300]}


def _has(ran: dict[str, Ran], stage: str) -> bool:
    """Whether a stage has run, or cannot: there is nothing to run in a file that is no notebook."""
    return stage in ran or bool(ran and ran["answers"]["unfit"])
