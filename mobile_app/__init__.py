"""petalveil: protects photos before they are posted and recognises flowers, on the device alone."""

__version__ = "0.1.0"
