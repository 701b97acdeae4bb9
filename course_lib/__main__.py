"""`python -m course_lib COMMAND`. Old syntax only, so that an old Python can read its one line."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "error: the course needs Python 3.11 or newer, this is %d.%d: "  # noqa: UP031
        "get one from python.org and start with it" % sys.version_info[:2]
    )

from course_lib.commands.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
