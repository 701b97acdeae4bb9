"""What is wrong with a VAE or an autoencoder: `examine` measures, and names what it finds."""

from course_lib.diagnostics.examination import examine
from course_lib.diagnostics.report import Finding, Report

__all__ = ["Finding", "Report", "examine"]
