"""One story a file, top to bottom: what is trained, on what, and what comes out."""
