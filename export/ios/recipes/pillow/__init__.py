"""Pillow 11.3.0 for kivy-ios, whose own recipe builds 8.2.0 of 2021, which the app cannot use. Never built yet.

Without TIFF, WebP, JPEG 2000, AVIF and colour management, like the recipe that it stands in for.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import sh  # pyright: ignore[reportMissingImports]
from kivy_ios.toolchain import CythonRecipe, shprint  # pyright: ignore[reportMissingImports]

LEFT_OUT = ("tiff", "webp", "jpeg2000", "lcms", "raqm", "imagequant", "xcb", "avif")


class PillowRecipe(CythonRecipe):
    """What kivy-ios calls; the names are its own."""

    version = "11.3.0"
    url = "https://github.com/python-pillow/Pillow/archive/{version}.tar.gz"
    library = "libpillow.a"
    depends = ("hostpython3", "freetype", "libjpeg", "python3", "ios")
    pbx_libraries = ("libz", "libbz2")
    include_per_platform = True
    hostpython_prerequisites = ("setuptools>=77",)
    cythonize = False

    def prebuild_platform(self, plat):
        setup = Path(self.build_dir) / "setup.py"
        setup.write_text(believing(setup.read_text(encoding="utf-8")), encoding="utf-8")

    def get_recipe_env(self, plat):
        env = super().get_recipe_env(plat)
        include = Path(self.ctx.dist_dir) / "include" / plat.name
        env["C_INCLUDE_PATH"] = f"{plat.sysroot}/usr/include"
        env["LIBRARY_PATH"] = f"{plat.sysroot}/usr/lib"
        env["CFLAGS"] += f" -I{include / 'freetype'} -I{include / 'libjpeg'} -arch {plat.arch}"
        env["PATH"] = os.environ["PATH"]
        env["PKG_CONFIG"] = "ios-pkg-config"  # there is none, so what the Mac has installed stays out of it
        return env

    def build_platform(self, plat):
        options = [f"--disable-{name}" for name in LEFT_OUT]
        command = ("setup.py", "build_ext", *options, "--disable-platform-guessing", "-g")
        shprint(sh.Command(self.ctx.hostpython), *command, _env=self.get_recipe_env(plat))
        self.biglink()


def believing(setup: str) -> str:
    """Pillow's setup.py, which takes every library for there: it would look for those of the Mac.

    Raises: ValueError if the function that looks for them is not where it was.
    """
    text, count = re.subn(
        r"(def _find_library_file\([^\n]*\n)(?:    [^\n]*\n|\n)+?(?=\n\n?def )", r"\1    return True\n", setup
    )
    if count != 1:
        raise ValueError(f"setup.py: expected one function _find_library_file, found {count}; see Pillow's changes")
    return text


recipe = PillowRecipe()
