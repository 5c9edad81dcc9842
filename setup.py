"""The packages; all else is in setup.cfg."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["txproxy", "txproxy.*"]),
        # Neither twisted nor twisted.plugins has an __init__.py here: the plugin file joins those of Twisted itself.
        "twisted.plugins",
    ],
)
