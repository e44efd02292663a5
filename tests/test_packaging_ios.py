"""What the iPhone's project is told: no network, no tracking, a reason for each thing that is asked for."""

from __future__ import annotations

import importlib.util
import json
import plistlib
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from export.art import GREEN, STORE_ICONS
from export.errors import ExportError
from export.ios import project
from export.ios.__main__ import main

# Apple's reasons that may be given for each kind of call, as of 2025.
REASONS = {
    "NSPrivacyAccessedAPICategoryFileTimestamp": {"DDA9.1", "C617.1", "3B52.1", "0A2A.1"},
    "NSPrivacyAccessedAPICategorySystemBootTime": {"35F9.1", "8FFB.1", "3D61.1"},
    "NSPrivacyAccessedAPICategoryDiskSpace": {"85F4.1", "E174.1", "7D9E.1", "B728.1"},
    "NSPrivacyAccessedAPICategoryActiveKeyboards": {"3EC4.1", "54BD.1"},
    "NSPrivacyAccessedAPICategoryUserDefaults": {"CA92.1", "1C8F.1", "C56D.1", "AC6B.1"},
}


def test_nobody_is_tracked_and_nothing_is_collected() -> None:
    manifest = plistlib.loads(project.PRIVACY.read_bytes())
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyTrackingDomains"] == manifest["NSPrivacyCollectedDataTypes"] == []
    for entry in manifest["NSPrivacyAccessedAPITypes"]:
        reasons = entry["NSPrivacyAccessedAPITypeReasons"]
        assert reasons
        assert set(reasons) <= REASONS[entry["NSPrivacyAccessedAPIType"]]


def test_a_reason_is_given_for_the_camera_and_for_adding_photos_and_nothing_else_is_asked_for() -> None:
    added = plistlib.loads(project.INFO.read_bytes())
    asked = {key for key in added if key.endswith("UsageDescription")}
    assert asked == {"NSCameraUsageDescription", "NSPhotoLibraryAddUsageDescription"}
    assert all(len(added[key]) > 40 and added[key].endswith(".") for key in asked)
    text = project.INFO.read_text(encoding="utf-8")
    assert not re.search(r"NSAppTransportSecurity|NSLocalNetwork|NSUserTracking|UIBackgroundModes", text)


def test_photos_of_other_apps_come_as_copies(root: Path) -> None:
    added = plistlib.loads(project.INFO.read_bytes())
    (kind,) = added["CFBundleDocumentTypes"]
    assert kind["LSItemContentTypes"] == ["public.image"]
    assert added["LSSupportsOpeningDocumentsInPlace"] is False  # else the app would have to ask to read each one
    spoken = {folder.name for folder in (root / "mobile_app" / "ui" / "text").iterdir()}
    assert {name.partition("-")[0] for name in added["CFBundleLocalizations"]} == spoken


def test_the_declarations_are_valid_xml() -> None:
    for path in (project.INFO, project.PRIVACY):
        assert ElementTree.fromstring(path.read_bytes()).tag == "plist"


@pytest.mark.parametrize(("path", "side_px"), STORE_ICONS.items())
def test_icons_for_stores_are_square_and_hold_nothing_transparent(path: Path, side_px: int) -> None:
    with Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (side_px, side_px))
        corners = {picture.getpixel((x, y)) for x in (0, side_px - 1) for y in (0, side_px - 1)}
        assert corners == {GREEN[:3]}
        assert len(picture.getcolors(1 << 21) or []) > 1000  # a flower is on it


def test_a_folder_without_a_project_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("pbxproj") is None:
        assert main([str(tmp_path), "--onnxruntime", str(tmp_path)]) == 1
        assert "pbxproj, which comes with kivy-ios" in capsys.readouterr().err
        return
    assert main([str(tmp_path), "--onnxruntime", str(tmp_path)]) == 1
    assert "run `toolchain create` first" in capsys.readouterr().err


def test_pillows_recipe_changes_the_one_function_that_looks_for_libraries(root: Path) -> None:
    text = (root / "export" / "ios" / "recipes" / "pillow" / "__init__.py").read_text(encoding="utf-8")
    space: dict = {"re": re}
    exec(text[text.index("def believing") : text.index("recipe = ")], space)  # the module itself needs kivy-ios
    setup = (
        "def _find_library_file(self: X, library: str) -> str | None:\n    ret = find()\n    if ret:\n"
        "        log()\n\n    return ret\n\n\ndef _other() -> int:\n    return 1\n"
    )
    space["believing"](setup)
    made: dict = {"X": object}
    exec(compile("from __future__ import annotations\n" + space["believing"](setup), "setup.py", "exec"), made)
    assert made["_find_library_file"](None, "tiff") is True
    assert made["_other"]() == 1
    with pytest.raises(ValueError, match="found 0"):
        space["believing"]("def another() -> int:\n    return 1\n")


@pytest.fixture
def made_by_kivy_ios(tmp_path: Path) -> Path:
    """The project that kivy-ios 2025.5.17 makes, its template filled in as `toolchain create` fills it in."""
    spec = importlib.util.find_spec("kivy_ios")
    if spec is None or spec.origin is None or importlib.util.find_spec("pbxproj") is None:
        pytest.skip("needs kivy-ios: pip install kivy-ios==2025.5.17")
    template = Path(spec.origin).parent / "tools" / "templates" / "{{ cookiecutter.project_name }}-ios"
    folder = tmp_path / "petalveil-ios"
    shutil.copytree(template, folder)
    values = {"project_name": "petalveil", "domain_name": "org.kivy.petalveil", "dist_dir": "/dist"}
    values |= {"project_dir": "/app", "title": "petalveil", "version": "1.0.0"}
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        if path.suffix in (".plist", ".pbxproj", ".m"):
            text = path.read_text(encoding="utf-8")
            for name, value in values.items():
                text = text.replace(f"{{{{ cookiecutter.{name} }}}}", value)
            path.write_text(text, encoding="utf-8")
        if "cookiecutter" in path.name:
            path.rename(path.with_name(path.name.replace("{{ cookiecutter.project_name }}", "petalveil")))
    return folder


def test_the_project_of_kivy_ios_gets_what_the_app_needs(made_by_kivy_ios: Path, tmp_path: Path) -> None:
    from pbxproj import XcodeProject

    framework = tmp_path / "onnxruntime.xcframework"
    framework.mkdir()
    project.prepare(made_by_kivy_ios, version="1.2.3.dev4", onnxruntime=framework)
    path = made_by_kivy_ios / "petalveil.xcodeproj" / "project.pbxproj"
    once = path.read_text(encoding="utf-8")
    project.prepare(made_by_kivy_ios, version="1.2.3.dev4", onnxruntime=framework)
    found = XcodeProject.load(str(path))
    names = {item.path.rpartition("/")[2] for item in found.objects.get_objects_in_section("PBXFileReference")}
    assert {"CoreML.framework", "Photos.framework", "libc++.tbd", "onnxruntime.xcframework"} <= names
    assert len(once) == len(path.read_text(encoding="utf-8"))  # nothing is added twice
    (resources,) = found.objects.get_objects_in_section("PBXResourcesBuildPhase")
    copied = [found.objects[found.objects[item].fileRef].path for item in resources.files]
    assert copied.count("PrivacyInfo.xcprivacy") == 1
    assert (made_by_kivy_ios / "PrivacyInfo.xcprivacy").read_bytes() == project.PRIVACY.read_bytes()
    icons = made_by_kivy_ios / "petalveil" / "Images.xcassets" / "AppIcon.appiconset"
    (entry,) = json.loads((icons / "Contents.json").read_text(encoding="utf-8"))["images"]
    assert (entry["size"], (icons / entry["filename"]).read_bytes()) == ("1024x1024", project.ICON.read_bytes())
    info = plistlib.loads((made_by_kivy_ios / "petalveil-Info.plist").read_bytes())
    assert info["CFBundleShortVersionString"] == "1.2.3"
    assert info["CFBundleIdentifier"] == "org.petalveil.petalveil"
    assert info["CFBundleExecutable"] == "${EXECUTABLE_NAME}"  # what kivy-ios wrote stays
    assert "IPHONEOS_DEPLOYMENT_TARGET = 16.0" in once
    assert "-all_load" in once  # or nothing of the static library would be in the program
    assert "STRIP_INSTALLED_PRODUCT = NO" in once  # or its entry could not be found by name


def test_another_linker_setting_is_refused(made_by_kivy_ios: Path, tmp_path: Path) -> None:
    framework = tmp_path / "onnxruntime.xcframework"
    framework.mkdir()
    path = made_by_kivy_ios / "petalveil.xcodeproj" / "project.pbxproj"
    path.write_text(path.read_text(encoding="utf-8").replace("-all_load", "-ObjC"), encoding="utf-8")
    with pytest.raises(ExportError, match="-all_load"):
        project.prepare(made_by_kivy_ios, version="1.0", onnxruntime=framework)


def test_a_library_that_is_not_there_is_told(made_by_kivy_ios: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"docs/phones\.md"):
        project.prepare(made_by_kivy_ios, version="1.0", onnxruntime=tmp_path / "onnxruntime.xcframework")
