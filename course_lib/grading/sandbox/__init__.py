"""What a student's code is shut in: file tree, limits, processes."""
