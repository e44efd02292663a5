"""`make android` and `make ios`: what a build needs and whether it is here, then the build. See docs/phones.md.

    python -m export.phones android --check

The check imports nothing but the standard library, so that it can speak before anything is installed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANDROID_TOOLS = {
    "buildozer": "buildozer 1.6.0",
    "cython": "Cython",
    "javac": "a JDK 17",
    "git": "git",
    "unzip": "unzip",
    "zip": "zip",
    "autoconf": "autoconf",
    "automake": "automake",
    "libtoolize": "libtool",
    "pkg-config": "pkg-config",
    "cmake": "cmake",
}
IOS_TOOLS = {
    "xcodebuild": "Xcode",
    "toolchain": "kivy-ios 2025.5.17",
    "cython": "Cython",
    "pkg-config": "pkg-config",
    "autoconf": "autoconf",
    "automake": "automake",
    "glibtoolize": "libtool",
}
RECIPES = ("python3", "kivy", "numpy", "pillow", "pyobjus")
XCFRAMEWORK = "onnxruntime.xcframework"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a build is to run."""

    system: str  # as sys.platform
    which: Callable[[str], str | None]

    @classmethod
    def here(cls) -> Machine:
        """The tools on the PATH: both bring packages of their own, so they live in an environment of their own."""
        return cls(system=sys.platform, which=shutil.which)


def lack_for_android(machine: Machine) -> str | None:
    """What is missing here for an APK, in a sentence; None if the build can begin."""
    if machine.system not in ("linux", "darwin"):
        return "make android: needs Linux or macOS (on Windows: WSL), and this is neither; see docs/phones.md"
    return _lack("android", "the Android SDK and NDK, which buildozer fetches", ANDROID_TOOLS, machine)


def lack_for_ios(machine: Machine, build: Path) -> str | None:
    """What is missing here for an app on an iPhone, in a sentence; None if the build can begin."""
    if machine.system != "darwin":
        return "make ios: needs a Mac with Xcode 16 and kivy-ios 2025.5.17, and this is no Mac; see docs/phones.md"
    missing = _lack("ios", "a Mac", IOS_TOOLS, machine)
    if missing is None and not (build / XCFRAMEWORK).is_dir():
        return f"make ios: needs ONNX Runtime 1.28.0 as {build / XCFRAMEWORK}, found none; see docs/phones.md"
    return missing


def android_steps(build: Path) -> list[tuple[Path, list[str]]]:
    """The commands of an APK for trying out, each with the folder that it runs in."""
    return [(ROOT, _export("stage", "--out", str(build / "app"))), (build / "app", ["buildozer", "android", "debug"])]


def ios_steps(build: Path, toolchain: str = "toolchain") -> list[tuple[Path, list[str]]]:
    """The commands up to a project that Xcode opens.

    Args:
        toolchain: where the command of kivy-ios is. The Python beside it has the library that writes Xcode projects.
    """
    models = build / "coreml"
    with_models = ["--coreml", str(models)] if models.is_dir() else []
    project = build / "petalveil-ios"
    make = ["toolchain", "update", str(project)] if project.is_dir() else ["toolchain", "create", "petalveil", "app"]
    recipe = ROOT / "export" / "ios" / "recipes" / "pillow"
    packages = sorted(models.glob("*.mlpackage"))
    beside = Path(toolchain).resolve().parent / "python3"
    python = str(beside) if beside.is_file() else sys.executable
    return [
        *((build, ["xcrun", "coremlcompiler", "compile", str(package), str(models)]) for package in packages),
        (ROOT, _export("stage", "--out", str(build / "app"), *with_models)),
        (build, ["toolchain", "build", *RECIPES, "--add-custom-recipe", str(recipe)]),
        (build, make),
        (ROOT, [python, "-m", "export.ios", str(project), "--onnxruntime", str(build / XCFRAMEWORK)]),
    ]


def main(arguments: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.phones", description="Build the app for a phone.")
    parser.add_argument("phone", choices=["android", "ios"])
    parser.add_argument("--check", action="store_true", help="say what is missing, and build nothing")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="FOLDER", help="default: build")
    options = parser.parse_args(arguments)
    machine, build = machine or Machine.here(), options.build.resolve()
    lack = lack_for_android(machine) if options.phone == "android" else lack_for_ios(machine, build)
    if lack is not None:
        print(lack, file=sys.stderr)
        return 1
    if options.check:
        return 0
    build.mkdir(parents=True, exist_ok=True)
    toolchain = machine.which("toolchain") or "toolchain"
    for folder, command in android_steps(build) if options.phone == "android" else ios_steps(build, toolchain):
        print(f"{folder}: {' '.join(command)}", flush=True)
        code = subprocess.run(
            [machine.which(command[0]) or command[0], *command[1:]], cwd=folder, check=False
        ).returncode
        if code:
            print(f"make {options.phone}: stopped at `{' '.join(command[:3])}`, which said why above", file=sys.stderr)
            return 1
    print(f"done: {build / 'bin'}" if options.phone == "android" else f"open {build / 'petalveil-ios'} in Xcode")
    return 0


def _lack(phone: str, first: str, tools: Mapping[str, str], machine: Machine) -> str | None:
    missing = [name for command, name in tools.items() if machine.which(command) is None]
    if not missing:
        return None
    needs = ", ".join([first, *tools.values()])
    return f"make {phone}: needs {needs}; missing here: {', '.join(missing)}; see docs/phones.md"


def _export(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "export", *arguments]


if __name__ == "__main__":
    sys.exit(main())
