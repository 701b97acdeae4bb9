"""Sphinx: what `python -m course_lib site` builds the pages by."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from course_lib import __version__  # noqa: E402
from course_lib.authoring.address import course_address  # noqa: E402

address = course_address(ROOT)
project = "Autoencoders and VAEs"
release = __version__
author = "the authors of the course"
copyright = f"{author}, MIT licence"
extensions = ["myst_nb", "sphinxcontrib.bibtex", "sphinx-mathjax-offline"]
exclude_patterns = ["README.md"]  # index.md includes its parts
bibtex_bibfiles = [str(ROOT / "docs" / "references.bib")]

nb_execution_mode = "off"  # outputs come from docs/executed/ and nowhere else
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

html_theme = "sphinx_book_theme"
html_title = project
html_copy_source = False
html_theme_options = {
    "repository_url": address.url,
    "use_repository_button": True,
    "show_navbar_depth": 1,
    "navbar_persistent": [],  # the search button is in the side bar
    "show_toc_level": 2,
}
