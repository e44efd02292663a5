"""A graph of float32 in other precisions."""
