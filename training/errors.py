"""What the training commands raise for what a person can put right."""

from mobile_app.core.errors import PetalveilError


class TrainingError(PetalveilError):
    """Says in one sentence which file, field or number, what was expected, what was found and what to do."""
