"""What the Dockerfile does, without an engine: the same packages, files, settings and commands."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOBODY = 65534


class Image:
    """A folder with a clean virtual environment and the files that the image has."""

    def __init__(self, folder: Path, interpreter: str) -> None:
        self.folder = folder
        self._interpreter = interpreter
        self._text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")

    def build(self) -> None:
        """Do what RUN and COPY do."""
        venv = self.folder / "venv"
        subprocess.run([self._interpreter, "-m", "venv", venv], check=True)
        install = next(w for w in self._all("RUN") if "pip install" in w).partition("pip install")[
            2
        ]
        python = str(venv / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", *shlex.split(install)]
        subprocess.run(pip, cwd=ROOT, check=True)
        for words in self._all("COPY"):
            if not words.startswith(("--from", "requirements")):
                *sources, target = words.split()
                self._copy(sources, target)
        (self.folder / "data").mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.folder / "data", self.user, self.user)

    @property
    def user(self) -> int:
        """Who runs the commands: someone else than the one who installed, if root may choose."""
        return NOBODY if os.geteuid() == 0 else os.geteuid()

    @cached_property
    def env(self) -> dict[str, str]:
        """What ENV sets, with the image's places moved to the folder's."""
        pairs = shlex.split(self._last("ENV").replace("$PATH", os.environ["PATH"]))
        env = dict(pair.split("=", 1) for pair in pairs)
        env["PATH"] = env["PATH"].replace("/venv/bin", str(self.folder / "venv" / "bin"))
        env["NEONHUB_DATA_DIR"] = str(self.folder / "data")
        return env

    def command(self, *arguments: str) -> list[str]:
        """What the engine runs: ENTRYPOINT, then the arguments, or CMD without any."""
        entry = [*json.loads(self._last("ENTRYPOINT"))]
        program = shutil.which(entry[0], path=self.env["PATH"])
        assert program is not None
        return [program, *entry[1:], *(arguments or json.loads(self._last("CMD")))]

    def _copy(self, sources: list[str], target: str) -> None:
        for source in sources:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, self.folder / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, self.folder / target)

    def _all(self, instruction: str) -> list[str]:
        return re.findall(rf"^{instruction} +(.+)$", self._text, re.MULTILINE)

    def _last(self, instruction: str) -> str:
        return self._all(instruction)[-1]


def interpreter_for(user: int) -> str | None:
    """An interpreter that this user can run and that can make virtual environments."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable):
        check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
        base = str(Path(candidate).resolve())
        try:
            done = subprocess.run([base, "-c", check], user=user, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return base
    return None
