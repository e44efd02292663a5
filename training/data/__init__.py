"""Datasets, and splits kept by content."""
