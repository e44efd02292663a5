"""Errors whose text is fit for a screen.

A message is one sentence: which file or field, what was expected, what was found, and the remedy if there is one.
"""


class PetalveilError(Exception):
    """What a user can put right; a screen or command shows its text and nothing else."""


class PhotoError(PetalveilError):
    """A photo that cannot be read, or cannot be written in the form that was asked for."""


class OutputError(PetalveilError):
    """A file that cannot be written where it was asked for."""


class BundleError(PetalveilError):
    """A bundle that is incomplete, changed, or of a schema this version does not know."""


class GraphError(PetalveilError):
    """A graph that does not load, does not fit its contract, or gave values that are not finite."""


class SensingError(PetalveilError):
    """A file of measurements that is damaged, foreign, or of another version or model."""
