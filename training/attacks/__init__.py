"""Attacks on classifiers at the desk, with autograd."""
