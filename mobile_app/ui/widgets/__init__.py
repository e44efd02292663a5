"""The widget set: everything that a screen is made of. Each takes the theme first; see mobile_app.ui for how.

For who adds a widget: in a handler of `pos` or `size` compute with x, y, width and height. Kivy's `center`, `right` and
`top` are cached and still have their old value there.
"""

from mobile_app.ui.widgets.base import Column, Grid, Row, Rule, Scroll, Spacer, paint
from mobile_app.ui.widgets.cards import (
    Bar,
    Card,
    Empty,
    IconDisc,
    ListRow,
    Meter,
    Notice,
    Photograph,
    Picture,
)
from mobile_app.ui.widgets.choices import Choices, Field, Segmented, SwitchRow
from mobile_app.ui.widgets.overlays import Overlays, Sheet, question
from mobile_app.ui.widgets.text import Icon, Text
from mobile_app.ui.widgets.textures import load_texture, texture_of
from mobile_app.ui.widgets.touch import Chip, IconButton, Tappable, TextButton

__all__ = [
    "Bar",
    "Card",
    "Chip",
    "Choices",
    "Column",
    "Empty",
    "Field",
    "Grid",
    "Icon",
    "IconButton",
    "IconDisc",
    "ListRow",
    "Meter",
    "Notice",
    "Overlays",
    "Photograph",
    "Picture",
    "Row",
    "Rule",
    "Scroll",
    "Segmented",
    "Sheet",
    "Spacer",
    "SwitchRow",
    "Tappable",
    "Text",
    "TextButton",
    "load_texture",
    "paint",
    "question",
    "texture_of",
]
