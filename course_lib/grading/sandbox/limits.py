"""What one submission may use, and how well it is shut in."""

from __future__ import annotations

from dataclasses import dataclass

# From none to the best; a record names the level that its submission ran under.
LEVELS = ("none", "process", "namespaces", "bwrap")


WITH_OUTPUTS = 5  # times `file_mb`: so large may a file be with the outputs saved in it


@dataclass(frozen=True)
class Limits:
    """Limits of one submission; what runs into one is ended, and its record says so."""

    seconds: float = 900  # the whole notebook
    cell_seconds: float = 300  # one cell; one exercise run alone
    memory_mb: int = 4096  # all its processes together
    output_mb: int = 20  # everything its cells print and show
    file_mb: int = 20  # the submitted file, without its outputs
    disk_mb: int = 512  # temporary files, kept in memory
    processes: int = 256  # with their threads

    @property
    def file_bytes(self) -> int:
        """The submitted file with its outputs."""
        return WITH_OUTPUTS * self.file_mb * 2**20
