"""What one submission may use, and how well it is shut in."""

from __future__ import annotations

from dataclasses import dataclass

# From none to the best; a record names the level that its submission ran under.
LEVELS = ("none", "process", "namespaces", "bwrap")


@dataclass(frozen=True)
class Limits:
    """Limits of one submission; what runs into one is ended, and its record says so."""

    seconds: float = 900  # the whole notebook
    cell_seconds: float = 300  # one cell; one exercise run alone
    memory_mb: int = 4096  # all its processes together
    output_mb: int = 20  # everything its cells print and show
    file_mb: int = 20  # the submitted file
    disk_mb: int = 512  # temporary files, kept in memory
    processes: int = 256  # with their threads
