"""Networks: each module builds one family, in eval mode, with its normalisation inside; images come in [0, 1]."""
