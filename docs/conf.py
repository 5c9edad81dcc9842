"""Sphinx configuration."""

project = "txproxy"
author = "the txproxy maintainers"
copyright = "2026, the txproxy maintainers"
extensions = ["sphinx.ext.autodoc"]
html_theme = "alabaster"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
