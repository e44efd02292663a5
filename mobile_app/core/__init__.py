"""What runs on the phone: numpy, Pillow and one inference runtime; no screen, no torch, no print."""
