"""The Java classes that the app names are Android's own, or ONNX Runtime's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.android_stubs import Stubs, stub_folder

JAVA_NAME = re.compile(r"(?P<root>android|androidx|dalvik|java|javax|ai)(\.[a-z]\w*)*(\.[A-Z]\w*)(\$[A-Z]\w*)*")
# Of the Java API of ONNX Runtime 1.17 and later, which no stubs describe. The tests of the runtime run the very jar.
ONNXRUNTIME = {
    "ai.onnxruntime.NodeInfo",
    "ai.onnxruntime.OnnxJavaType",
    "ai.onnxruntime.OnnxTensor",
    "ai.onnxruntime.OnnxValue",
    "ai.onnxruntime.OrtEnvironment",
    "ai.onnxruntime.OrtException",
    "ai.onnxruntime.OrtLoggingLevel",
    "ai.onnxruntime.OrtSession",
    "ai.onnxruntime.OrtSession$Result",
    "ai.onnxruntime.OrtSession$RunOptions",
    "ai.onnxruntime.OrtSession$SessionOptions",
    "ai.onnxruntime.OrtSession$SessionOptions$OptLevel",
    "ai.onnxruntime.TensorInfo",
    "ai.onnxruntime.ValueInfo",
}


def test_every_java_class_that_the_app_names_is_there(root: Path) -> None:
    folder = stub_folder()
    if folder is None:
        pytest.skip("needs chaquopy-stubs-android, which `make test` installs")
    stubs, found = Stubs(folder), set()
    for path in (root / "mobile_app").rglob("*.py"):
        for name in java_names(path.read_text(encoding="utf-8")):
            found.add(name)
            if name.startswith("ai."):
                assert name in ONNXRUNTIME, f"{path.name}: {name}"
            else:
                stubs.find(name)
    assert {
        "android.content.Intent",
        "android.provider.MediaStore$Images$Media",
        "android.view.WindowInsets$Type",
    } <= found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('autoclass("android.os.Build$VERSION")', ["android.os.Build$VERSION"]),
        ('names = ("java.util.HashMap", "java.util")', ["java.util.HashMap"]),
        ('cast("ai.onnxruntime.TensorInfo", x)', ["ai.onnxruntime.TensorInfo"]),
        ('"android.intent.action.SEND"', []),
        ('"""See android.content.Intent."""', []),
    ],
)
def test_a_class_is_told_from_other_words(text: str, names: list[str]) -> None:
    assert list(java_names(text)) == names


def java_names(text: str) -> Iterator[str]:
    """The texts of a module that are the name of a Java class and nothing else; an action ends in capitals alone."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and JAVA_NAME.fullmatch(node.value):
            last = re.split(r"[.$]", node.value)[-1]
            if not last.isupper() or "$" in node.value:
                yield node.value
