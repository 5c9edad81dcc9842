"""Sphinx configuration."""

import sys
from importlib.util import find_spec
from pathlib import Path

from txproxy import __version__

project = "txproxy"
author = "the txproxy maintainers"
copyright = "2026, the txproxy maintainers"
version = release = __version__
# The extra "docs" brings the theme and the buttons. Where they are missing, Sphinx alone makes the same pages.
has_theme, has_buttons = find_spec("furo") is not None, find_spec("sphinx_copybutton") is not None
sys.path.insert(0, str(Path(__file__).parent / "_ext"))
extensions = ["sphinx.ext.autodoc", "toml_keys", "mode_options", *(["sphinx_copybutton"] if has_buttons else [])]
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo" if has_theme else "basic"
html_title = f"txproxy {release}"
# Pages show what is said of them here, and need nothing of any other machine.
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["wide.css"] if has_theme else []
html_copy_source = False
pygments_style = "friendly"
html_theme_options = (
    {
        "light_css_variables": {"code-font-size": "75%"},
        "dark_css_variables": {"code-font-size": "75%"},
    }
    if has_theme
    else {}
)
if has_theme:
    pygments_dark_style = "monokai"
man_pages = [
    ("options", "txproxy", "forward and reverse HTTP proxy", author, 1),
    ("keys", "txproxy.toml", "configuration file of txproxy", author, 5),
]
# What is typed, without the prompt before it.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
