"""Information-dropping augmentation: AdvMask and its rivals."""
