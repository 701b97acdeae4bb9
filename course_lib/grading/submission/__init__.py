"""One submission: from the file to its record."""
