"""What export refuses, in one sentence each: which operator, module or field; what was expected; what to do."""

from __future__ import annotations


class ExportError(Exception):
    """Something that cannot be exported, or whose export would be wrong."""
