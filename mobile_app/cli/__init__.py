"""The command `petalveil`: one module a sub-command, and what they share."""
