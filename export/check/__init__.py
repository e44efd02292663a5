"""Graphs against how they will run on a phone."""
