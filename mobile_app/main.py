"""What Android and iOS start."""

from mobile_app.ui.start import run

if __name__ == "__main__":
    run()
