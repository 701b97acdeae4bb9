"""Submissions to grades: run apart, judged outside. `engine.grade_notebook` grades one."""
