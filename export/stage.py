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
COREML = Path("mobile_app") / "bundle" / "coreml"  # where the staged app has its Core ML models
COREML_SUFFIXES = (".mlmodelc", ".mlpackage")
_BESIDE = ("main.py", "buildozer.spec")  # these move out of the package
_DESK_ONLY = ("cli", "__main__.py")


def stage(out: Path, *, coreml: Path | None = None) -> list[Path]:
    """Write the folder, whole or not at all; one that was staged before is replaced.

    Args:
        coreml: a folder of Core ML models, packages or compiled ones, which go along for iOS.
    Returns: the files, relative to `out`.
    Raises: ExportError if `out` is there and holds something else, or `coreml` holds no model; BundleError if the
        bundle is damaged.
    """
    load_bundle(PACKAGE / "bundle")
    models = [] if coreml is None else _models(coreml)
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / "mobile_app").is_dir())):
        raise ExportError(
            f"{out}: expected nothing, an empty folder or a staged app, found something else; name another"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".stage-") as folder:
        staging = Path(folder) / "app"
        left_out = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
        shutil.copytree(PACKAGE, staging / "mobile_app", ignore=left_out)
        for name in _DESK_ONLY:
            path = staging / "mobile_app" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in _BESIDE:
            shutil.move(staging / "mobile_app" / name, staging / name)
        for model in models:
            shutil.copytree(model, staging / COREML / model.name)
        if out.exists():
            shutil.move(out, Path(folder) / "previous")
        shutil.move(staging, out)
    return sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())


def _models(folder: Path) -> list[Path]:
    """The Core ML models in a folder: the compiled one of two that are the same."""
    found = sorted(folder.glob("*")) if folder.is_dir() else []
    models = {path.stem: path for path in reversed(found) if path.suffix in COREML_SUFFIXES and path.is_dir()}
    if not models:
        raise ExportError(f"{folder}: expected Core ML models (.mlpackage or .mlmodelc), found none")
    return list(models.values())
