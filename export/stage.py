"""The app and its bundle in, a folder out that buildozer or kivy-ios takes: main.py, the package, the build's settings.

    python -m export stage --out build/app

Both tools want a main.py beside the package, and break on a package that is itself the source folder.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import mobile_app
from export.errors import ExportError
from mobile_app.core.bundle import load_bundle

PACKAGE = Path(mobile_app.__file__).parent
_BESIDE = ("main.py", "buildozer.spec")  # these move out of the package
_DESK_ONLY = ("cli", "__main__.py")


def stage(out: Path) -> list[Path]:
    """Write the folder, whole or not at all; one that was staged before is replaced.

    Returns: the files, relative to it.
    Raises: ExportError if `out` is there and holds something else, BundleError if the bundle is damaged.
    """
    load_bundle(PACKAGE / "bundle")
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / "mobile_app").is_dir())):
        raise ExportError(
            f"{out}: expected nothing, an empty folder or a staged app, found something else; name another"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".stage-") as folder:
        staging = Path(folder) / "app"
        left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(PACKAGE, staging / "mobile_app", ignore=left_out)
        for name in _DESK_ONLY:
            path = staging / "mobile_app" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in _BESIDE:
            shutil.move(staging / "mobile_app" / name, staging / name)
        if out.exists():
            shutil.move(out, Path(folder) / "previous")
        shutil.move(staging, out)
    return sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
