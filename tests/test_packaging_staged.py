"""The staged app as a phone starts it: nothing of the repository on the path, no environment, no more than it needs."""

from __future__ import annotations

import ast
import compileall
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export.stage import stage

SIZE_LIMIT_BYTES = 45_000_000
OLDEST, NEWEST = (3, 11), (3, 14)  # of kivy-ios, of python-for-android
# What Python 3.12, 3.13 and 3.14 took out of the standard library of 3.11.
REMOVED = frozenset(
    "aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap msilib nis nntplib "
    "ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib".split()
)
ADDED = frozenset({"annotationlib", "compression", "concurrent.interpreters", "pathlib.types", "string.templatelib"})
ON_THE_PHONE = ("PIL", "filetype", "kivy", "numpy", "onnxruntime")

RUN = """
import json, os, runpy, sys, threading, time, types

staged, site, engine, photo = sys.argv[1:]
sys.path[:] = [staged, *(path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))), site]
sys.argv = ["main"]
told = {}

class NoWheel:  # what the phone has: the library, and no package around it
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError("no onnxruntime on a phone", name="onnxruntime")

if engine == "capi":
    sys.meta_path.insert(0, NoWheel())
    # On an iPhone no process starts another: kivy-ios puts this in the module's place.
    nothing = types.ModuleType("subprocess")
    nothing.PIPE = nothing.STDOUT = nothing.DEVNULL = nothing.CompletedProcess = nothing.check_output = None
    nothing.CalledProcessError = Exception
    sys.modules["subprocess"] = nothing

def look(_dt):
    from kivy.app import App
    from kivy.clock import Clock
    app = App.get_running_app()
    try:
        import mobile_app
        from mobile_app.core.bundle import load_bundle
        from mobile_app.core.photo import decode
        from mobile_app.core.runtime import load_graph, runtime_label
        import numpy as np
        from pathlib import Path
        bundle = load_bundle()
        graph = load_graph(bundle.path("flowers"))
        image = np.full(graph.inputs["image"].shape, 0.5, np.float32)
        from mobile_app.core.bench.environment import environment
        app.root.export_to_png(photo)
        told.update(
            page=type(app.navigator.current).__module__, package=os.path.dirname(mobile_app.__file__),
            runtime=runtime_label(), environment=environment(bundle),
            classes=int(graph.run({"image": image})["logits"].size),
            pixels=decode(Path(mobile_app.__file__).parent / "samples" / "coffee.jpg").size_px,
            modules=sorted({name.partition(".")[0] for name in sys.modules}),
            telemetry=os.environ.get("ORT_DISABLE_TELEMETRY"),
        )
    finally:
        app.stop()

def watch():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        kind = getattr(sys.modules.get("kivy.app"), "App", None)  # there, but empty, while it is imported
        app = kind and kind.get_running_app()
        if app is not None and getattr(app, "root", None) is not None and app.navigator.current.is_whole:
            sys.modules["kivy.clock"].Clock.schedule_once(look, 0.5)
            return
        time.sleep(0.05)
    os._exit(3)

threading.Thread(target=watch, daemon=True).start()
main = os.path.join(staged, "main.pyc")
runpy.run_path(main if os.path.exists(main) else main[:-1], run_name="__main__")
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build") / "app"
    stage(out)
    return out


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of the phone, and no other."""
    folder = tmp_path_factory.mktemp("site")
    for name in ON_THE_PHONE:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            pytest.skip(f"needs {name}: pip install 'petalveil[app]'")
        package = Path(spec.origin).parent
        (folder / name).symlink_to(package)
        for libraries in package.parent.glob("*.libs"):  # what a wheel brings along
            if libraries.name.lower() == f"{ {'PIL': 'pillow'}.get(name, name) }.libs":
                (folder / libraries.name).symlink_to(libraries)
    return folder


@pytest.fixture(scope="module")
def compiled(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As both tools pack it: bytecode beside where the text was, without docstrings and assertions."""
    folder = tmp_path_factory.mktemp("phone") / "app"
    shutil.copytree(staged, folder)
    assert compileall.compile_dir(folder, quiet=1, legacy=True, optimize=2)
    for path in [*folder.rglob("*.py")]:
        path.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("packed", "engine"), [("staged", "wheel"), ("compiled", "capi")])
def test_the_staged_app_starts_and_shows_its_home(
    packed: str, engine: str, site: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    app: Path = request.getfixturevalue(packed)
    answer = start(app, site, tmp_path, engine)
    assert answer["page"] == "mobile_app.ui.screens.home"
    assert answer["package"] == str(app / "mobile_app")
    assert answer["classes"] >= 18
    assert answer["pixels"] == [600, 400]
    assert answer["telemetry"] == "1"
    assert ("onnxruntime" in answer["modules"]) == (engine == "wheel")
    assert answer["environment"]["versions"]["runtime"] == answer["runtime"]
    assert ("C API" in answer["runtime"]) == (engine == "capi")
    strangers = {"torch", "onnx", "rich", "scipy", "sklearn", "skimage", "pillow_heif", "training", "export"}
    assert not strangers & set(answer["modules"])
    assert colours(tmp_path / "home.png") > 100


def start(app: Path, site: Path, folder: Path, engine: str) -> dict[str, Any]:
    """Start main.py without the environment and the site-packages of this Python, and let it tell of itself."""
    if engine == "capi":
        pytest.importorskip("mobile_app.core.runtime.capi", reason="needs the C interface of ONNX Runtime")
    runner = folder / "run.py"
    runner.write_text(RUN, encoding="utf-8")
    environment = {"HOME": str(folder), "SDL_VIDEODRIVER": "offscreen", "SDL_AUDIODRIVER": "dummy"}
    if engine == "capi":
        environment["LD_LIBRARY_PATH"] = str(library_by_name(site, folder))
    command = [sys.executable, "-I", "-S", "-B", str(runner), str(app), str(site), engine, str(folder / "home.png")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if "Unable to find any valuable Window provider" in done.stdout + done.stderr:
        pytest.skip("no window opens here; on Debian: apt-get install libegl1 libgl1-mesa-dri")
    assert done.returncode == 0, done.stderr[-4000:]
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer, done.stderr[-4000:]
    return answer


def library_by_name(site: Path, folder: Path) -> Path:
    """A folder where the loader finds libonnxruntime.so by that name alone, as Android's finds the app's."""
    found = sorted((site / "onnxruntime" / "capi").glob("libonnxruntime.so*"))
    if not found:
        pytest.skip("needs the onnxruntime wheel of Linux, with its library inside")
    place = folder / "lib"
    place.mkdir()
    (place / "libonnxruntime.so").symlink_to(found[0].resolve())
    return place


def colours(path: Path) -> int:
    from PIL import Image

    with Image.open(path) as image:
        return len(image.convert("RGB").getcolors(1 << 24) or [])


def test_the_staged_app_fits_the_budget(staged: Path) -> None:
    size = sum(path.stat().st_size for path in staged.rglob("*") if path.is_file())
    assert size < SIZE_LIMIT_BYTES, f"{size / 1e6:.1f} MB"


def test_nothing_of_the_desk_goes_along(staged: Path) -> None:
    names = [path.relative_to(staged).as_posix() for path in staged.rglob("*")]
    unwanted = ("test", "conftest", "__pycache__", "__main__.py", ".git")
    assert [name for name in names if Path(name).name.startswith(unwanted)] == []
    assert [name for name in names if "/cli" in name or name.endswith((".pyc", ".md~", ".part"))] == []


def test_the_staged_manifests_ask_for_no_network(staged: Path) -> None:
    for path in (staged / "buildozer.spec", *staged.rglob("*.xml")):
        assert "INTERNET" not in path.read_text(encoding="utf-8"), path.name


def test_no_module_of_the_app_opens_a_connection(staged: Path) -> None:
    network = {"socket", "ssl", "urllib.request", "http", "requests", "httpx", "ftplib", "smtplib", "webbrowser"}
    found = {
        (path.name, name)
        for path in staged.rglob("*.py")
        for name in imported(path)
        if name in network or name.partition(".")[0] in network - {"urllib.request"}
    }
    assert not found


def test_every_staged_module_is_valid_from_the_oldest_python_to_the_newest(staged: Path) -> None:
    for path in staged.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for minor in range(OLDEST[1], NEWEST[1] + 1):
            ast.parse(text, path.name, feature_version=(3, minor))
        faults = [*removed_names(path), *leaving_finally(ast.parse(text))]
        assert not faults, f"{path.relative_to(staged)}: {faults}"


@pytest.mark.parametrize("minor", range(OLDEST[1], NEWEST[1] + 1))
def test_every_staged_module_compiles_where_that_python_is_here(staged: Path, minor: int) -> None:
    python = shutil.which(f"python3.{minor}")
    if python is None or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"needs a Python 3.{minor}")
    script = (
        "import pathlib, sys, warnings; warnings.simplefilter('error')\n"
        "for path in pathlib.Path(sys.argv[1]).rglob('*.py'): compile(path.read_text('utf-8'), str(path), 'exec')"
    )
    done = subprocess.run([python, "-I", "-c", script, str(staged)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "text", ["import imp", "from distutils.util import x", "import string.templatelib", "from compression import zstd"]
)
def test_a_module_that_one_of_the_pythons_lacks_is_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(text, encoding="utf-8")
    assert list(removed_names(path))


def test_a_jump_out_of_finally_is_found() -> None:
    assert list(leaving_finally(ast.parse("def f():\n try:\n  g()\n finally:\n  return 1")))
    assert not list(leaving_finally(ast.parse("try:\n g()\nfinally:\n def f():\n  return 1")))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def removed_names(path: Path) -> Iterator[str]:
    """Modules that not every Python from the oldest to the newest has."""
    for name in imported(path):
        if name.partition(".")[0] in REMOVED | ADDED or name in ADDED:
            yield name


def leaving_finally(tree: ast.AST) -> Iterator[str]:
    """A return, break or continue out of `finally`, of which Python 3.14 warns."""
    for node in ast.walk(tree):
        for inner in getattr(node, "finalbody", []):
            yield from (f"line {jump.lineno}" for jump in _jumps(inner))


def _jumps(node: ast.AST) -> Iterator[ast.stmt]:
    if isinstance(node, ast.Return | ast.Break | ast.Continue):
        yield node
    elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda):
        for inner in ast.iter_child_nodes(node):
            yield from _jumps(inner)
