"""The one error that the command line turns into a single clear line."""


class CourseError(Exception):
    """Bad input or a world that does not fit: the message is one line and says what to do."""
