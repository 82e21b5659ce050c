"""The site of these pages and of the Python reference.

    pip install -e ".[docs]"
    python -m sphinx -W docs docs/_build

Sphinx reads the docstrings by import, so that types, shapes and examples are those of the code;
MyST reads the pages, which are plain Markdown and can be read without the site.
"""

import istsbench

project = "istsbench"
author = "The istsbench developers"
copyright = author
version = release = istsbench.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
default_role = "literal"  # docstrings write `name`, as Markdown does
myst_heading_anchors = 3
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"istsbench {version}"
