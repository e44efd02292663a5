"""The desk: what is trained and measured with PyTorch before anything reaches a phone."""
