"""The arguments of `python -m training`; each module has one `register`, light enough to load before --help."""
