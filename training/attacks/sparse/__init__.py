"""Sparse attacks: few changed values, each within a bound."""
