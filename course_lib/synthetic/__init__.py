"""Pictures drawn by formula, whose factors of variation are therefore known: sprites and faces.

Nothing here reads, writes or remembers a file; `course_lib.datasets` keeps what it wants to keep.
"""
