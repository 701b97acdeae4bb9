"""What students handed in, from any folder or ZIP, as one submission per student."""

from course_lib.grading.intake.choice import Submission
from course_lib.grading.intake.collect import Intake, collect, staged

__all__ = ["Intake", "Submission", "collect", "staged"]
