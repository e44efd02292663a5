"""The pages: one module each, found by its name; see mobile_app.ui for how one is made."""
