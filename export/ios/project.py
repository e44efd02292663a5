"""A project that `toolchain create` of kivy-ios made in; the same with what petalveil declares and links, out.

Never built yet: the tests read what is written here with the library that kivy-ios writes projects with.
"""

from __future__ import annotations

import json
import plistlib
import re
import shutil
from pathlib import Path

from export.errors import ExportError
from mobile_app.core.files import write_whole

HERE = Path(__file__).parent
INFO, PRIVACY, ICON = HERE / "Info.plist", HERE / "PrivacyInfo.xcprivacy", HERE / "AppIcon.png"
LOWEST_IOS = "16.0"  # Core ML's programs as export/coreml writes them; ONNX Runtime wants 15.1
LINKED = (  # of Apple's; ONNX Runtime is C++
    "System/Library/Frameworks/CoreML.framework",
    "System/Library/Frameworks/Photos.framework",
    "usr/lib/libc++.tbd",
)
_LOADS_ALL = "-all_load"


def prepare(folder: Path, *, version: str, onnxruntime: Path) -> list[str]:
    """Change the project in `folder`; doing it again changes nothing more.

    Args:
        version: of the app, as people see it.
        onnxruntime: the static onnxruntime.xcframework of release 1.28.0.
    Returns: what was done, a line each.
    Raises: ExportError if there is no project of kivy-ios, or it is not like the ones that are known.
    """
    try:
        from pbxproj import XcodeProject  # pyright: ignore[reportMissingImports]
        from pbxproj.pbxextensions import FileOptions  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ExportError(
            "the Xcode project needs pbxproj, which comes with kivy-ios; install kivy-ios here"
        ) from error
    path = _project(folder)
    if onnxruntime.suffix != ".xcframework" or not onnxruntime.is_dir():
        raise ExportError(
            f"{onnxruntime}: expected onnxruntime.xcframework, found none; docs/phones.md says where it is"
        )
    said = [_declare(folder, version), _give_icon(folder)]
    shutil.copyfile(PRIVACY, folder / PRIVACY.name)
    project = XcodeProject.load(str(path))
    if _LOADS_ALL not in path.read_text(encoding="utf-8"):
        raise ExportError(
            f"{path.parent.name}: expected the linker's flag {_LOADS_ALL} of kivy-ios, found none; without it, or "
            "-force_load, nothing of ONNX Runtime is linked"
        )
    project.set_flags("IPHONEOS_DEPLOYMENT_TARGET", LOWEST_IOS)
    project.set_flags("PRODUCT_BUNDLE_IDENTIFIER", plistlib.loads(INFO.read_bytes())["CFBundleIdentifier"])
    group = project.get_or_create_group("Frameworks")
    linked = FileOptions(embed_framework=False)
    for name in LINKED:
        project.add_file(name, parent=group, tree="SDKROOT", force=False, file_options=linked)
    project.add_file(str(onnxruntime.resolve()), parent=group, force=False, file_options=linked)
    # Its kind is unknown to pbxproj; any file in the phase of resources is copied as it is.
    if not project.get_files_by_name(PRIVACY.name):
        _add_resource(project, PRIVACY.name)
    project.save()
    names = ", ".join(name.rpartition("/")[2] for name in (*LINKED, onnxruntime.name, PRIVACY.name))
    return [*said, f"{path.parent.name}: iOS {LOWEST_IOS}, {names}"]


def _project(folder: Path) -> Path:
    found = sorted(folder.glob("*.xcodeproj/project.pbxproj"))
    if len(found) != 1:
        raise ExportError(f"{folder}: expected one Xcode project, found {len(found)}; run `toolchain create` first")
    return found[0]


def _declare(folder: Path, version: str) -> str:
    found = sorted(folder.glob("*-Info.plist"))
    if len(found) != 1:
        raise ExportError(f"{folder}: expected one Info.plist, found {len(found)}; run `toolchain create` again")
    before = plistlib.loads(found[0].read_bytes())
    number = ".".join(re.findall(r"\d+", version)[:3])  # Apple takes three numbers and nothing else
    added = plistlib.loads(INFO.read_bytes()) | {"CFBundleShortVersionString": number, "CFBundleVersion": number}
    write_whole(found[0], plistlib.dumps(before | added), force=True)
    return f"{found[0].name}: {len(added)} entries, version {number}"


def _give_icon(folder: Path) -> str:
    """One picture of 1024 px, of which Xcode 14 and newer make every size; the template has no picture."""
    found = sorted(folder.glob("*/Images.xcassets/AppIcon.appiconset"))
    if len(found) != 1:
        raise ExportError(f"{folder}: expected one set of icons, found {len(found)}; run `toolchain create` again")
    shutil.copyfile(ICON, found[0] / ICON.name)
    entry = {"filename": ICON.name, "idiom": "universal", "platform": "ios", "size": "1024x1024"}
    content = {"images": [entry], "info": {"author": "xcode", "version": 1}}
    write_whole(found[0] / "Contents.json", json.dumps(content, indent=2).encode(), force=True)
    return f"{found[0].name}: {ICON.name}"


def _add_resource(project, name: str) -> None:  # pyright: ignore[reportMissingParameterType]
    from pbxproj.pbxsections import PBXBuildFile, PBXFileReference  # pyright: ignore[reportMissingImports]

    reference = PBXFileReference.create(name, "SOURCE_ROOT")
    reference["lastKnownFileType"] = "text.xml"
    project.objects[reference.get_id()] = reference
    project.get_or_create_group("Resources").add_child(reference)
    for phase in project.objects.get_objects_in_section("PBXResourcesBuildPhase"):
        build = PBXBuildFile.create(reference)
        project.objects[build.get_id()] = build
        phase.add_build_file(build)
