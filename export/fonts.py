"""Large free fonts in, the few characters that the app shows out: the files in mobile_app/ui/fonts.

    python -m export.fonts --text /usr/share/fonts/opentype/noto --icons package/src

`--text` is where Debian's fonts-noto-cjk puts its collections; `--icons` the folder `src` of the npm package
@phosphor-icons/web. Run it again when a catalogue or the content gets a character that the fonts lack: a test names it.
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mobile_app.core.files import write_whole

UI = Path(__file__).parents[1] / "mobile_app" / "ui"
CONTENT = UI.parent / "content"
FONTS = UI / "fonts"
SIMPLIFIED = 2  # of the faces in a Noto CJK collection: that of mainland China
TEXT_FONTS = {
    "sans-regular.otf": "NotoSansCJK-Regular.ttc",
    "sans-bold.otf": "NotoSansCJK-Bold.ttc",
    "serif-bold.otf": "NotoSerifCJK-Bold.ttc",
}
ICON_FONTS = {"icons.ttf": "regular/Phosphor.ttf", "icons-fill.ttf": "fill/Phosphor-Fill.ttf"}
COMMON_HANZI = frozenset({"sans-regular.otf"})  # what people type and call their files is shown in this one
PLAIN_ALONE = ("objects.json",)  # of the content: names that stand in running text alone

_PUNCTUATION = "–—‘’“”…·×−±≤≥≈→←↑↓°µ€£¥•√∞　、。〈〉《》「」『』【】！（），．：；？％～／"  # noqa: RUF001
# The face for China draws these as wide as a character, which tears Latin text apart.
_NARROW = "·•‘’“”"  # noqa: RUF001
_NAME = re.compile(r"\.ph(?:-fill)?\.ph-([a-z0-9-]+):before\s*\{\s*content:\s*\"\\([0-9a-f]+)\"")


def main() -> None:
    """Write every font anew."""
    parser = argparse.ArgumentParser(prog="python -m export.fonts", description="Write the fonts of the app anew.")
    parser.add_argument(
        "--text", type=Path, required=True, metavar="DIR", help="with NotoSansCJK-Regular.ttc and others"
    )
    parser.add_argument("--icons", type=Path, metavar="DIR", help="with regular/Phosphor.ttf; default: leave the icons")
    options = parser.parse_args()
    everything = shown_characters(CONTENT, UI / "text")
    shown = shown_characters(CONTENT, UI / "text", leave_out=PLAIN_ALONE)
    for name, source in TEXT_FONTS.items():
        wanted = everything | common_hanzi() if name in COMMON_HANZI else shown
        _write(name, subset(options.text / source, map(ord, wanted), face=SIMPLIFIED))
    if options.icons is not None:
        codes = icon_codes(UI / "icons.py")
        for name, source in ICON_FONTS.items():
            _refuse_unknown(codes, (options.icons / source).with_name("style.css"))
            _write(name, subset(options.icons / source, codes.values()))


def shown_characters(*folders: Path, leave_out: Sequence[str] = ()) -> set[str]:
    """Every character of the JSON files under these folders, and those that numbers and signs need."""
    latin = {chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180))}
    paths = [path for folder in folders for path in sorted(folder.rglob("*.json")) if path.name not in leave_out]
    texts = (path.read_text(encoding="utf-8") for path in paths)
    return latin | set(_PUNCTUATION) | {character for text in texts for character in text if character.isprintable()}


def common_hanzi() -> set[str]:
    """The 3,755 of level 1 of GB/T 2312, which cover 99.7 % of what is written."""
    rows = range(0xB0, 0xD8)
    pairs = (bytes((row, cell)) for row in rows for cell in range(0xA1, 0xFF))
    return {pair.decode("gb2312", "ignore") for pair in pairs} - {""}


def icon_codes(module: Path) -> dict[str, int]:
    """The icons that the app uses: name -> code point, read from the table in mobile_app/ui/icons.py."""
    rows = re.findall(r'^    "([a-z0-9-]+)": 0x([0-9A-Fa-f]+),', module.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: int(code, 16) for name, code in rows}


def subset(path: Path, codes: Iterable[int], *, face: int = -1) -> bytes:
    """The bytes of a font with these code points alone, unhinted."""
    from fontTools import subset as tool

    options = tool.Options(
        name_IDs=[*range(7), 13, 14],
        font_number=face,
        hinting=False,
        desubroutinize=False,
        layout_features=["kern", "mark", "ccmp"],
        notdef_outline=True,
    )
    font = tool.load_font(str(path), options)
    try:
        if face == SIMPLIFIED:
            _take_narrow_signs(font, path)
        subsetter = tool.Subsetter(options)
        subsetter.populate(unicodes=list(codes))
        subsetter.subset(font)
        buffer = io.BytesIO()
        tool.save_font(font, buffer, options)
    finally:
        font.close()
    return buffer.getvalue()


def _take_narrow_signs(font: Any, path: Path) -> None:
    """Let the narrow signs be drawn as the collection's face for Japan has them; all faces share their glyphs."""
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=0) as other:
        glyphs: dict[int, str] = other.getBestCmap() or {}
        narrow = {ord(sign): glyphs[ord(sign)] for sign in _NARROW}
    for table in font["cmap"].tables:
        if table.isUnicode() and table.format != 14:
            table.cmap |= {code: glyph for code, glyph in narrow.items() if code in table.cmap}


def _refuse_unknown(codes: dict[str, int], style: Path) -> None:
    known = {name: int(code, 16) for name, code in _NAME.findall(style.read_text(encoding="utf-8"))}
    for name, code in codes.items():
        if known.get(name) != code:
            raise SystemExit(
                f"icon {name}: expected {known.get(name, 0):#x} as in {style}, found {code:#x} in icons.py"
            )


def _write(name: str, data: bytes) -> None:
    write_whole(FONTS / name, data, force=True)
    print(f"{name:<18} {len(data) / 1024:7.0f} KB")


if __name__ == "__main__":
    main()
