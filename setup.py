"""The packages, and the documentation that wheels bring; all else is in setup.cfg."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# Where each shell looks, below the prefix.
COMPLETIONS = {
    "bash": "share/bash-completion/completions/txproxy",
    "zsh": "share/zsh/site-functions/_txproxy",
    "fish": "share/fish/vendor_completions.d/txproxy.fish",
}


class BuildWithPages(build_py):
    """Also makes the pages, the manual pages, and completion for shells."""

    def run(self):
        """Build the modules, and what is told of them. Who works on a clone has what ``make docs`` makes."""
        super().run()
        if self.editable_mode:
            return
        build = Path(self.get_finalized_command("build").build_temp).resolve()
        self._sphinx("html", Path(self.build_lib).resolve() / "txproxy" / "documentation", build / "doctrees")
        self._sphinx("man", build / "man", build / "doctrees")
        # Names of data files are relative to the project.
        files = {f"share/man/man{page.suffix[1:]}": [page] for page in sorted((build / "man").glob("txproxy*.[15]"))}
        for shell, place in COMPLETIONS.items():
            script = build / place
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(self._python("txproxy", "completion", shell), encoding="utf-8")
            files[os.path.dirname(place)] = [script]
        self.distribution.data_files = [
            (folder, [os.path.relpath(file, ROOT) for file in of_folder]) for folder, of_folder in files.items()
        ]

    def _sphinx(self, builder, to, temporary):
        self._python("sphinx", "-q", "-b", builder, "-d", temporary, ROOT / "docs", to)
        (to / ".buildinfo").unlink(missing_ok=True)

    def _python(self, *words):
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        called = [sys.executable, "-m", *map(str, words)]
        return subprocess.run(called, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


setup(
    packages=[
        *find_packages(include=["txproxy", "txproxy.*"]),
        # Neither twisted nor twisted.plugins has an __init__.py here: the plugin file joins those of Twisted itself.
        "twisted.plugins",
    ],
    cmdclass={"build_py": BuildWithPages},
)
