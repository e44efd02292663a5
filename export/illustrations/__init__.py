"""Drawn pictures of the species in mobile_app/content: nothing but code in, small JPEGs out. See __main__."""
