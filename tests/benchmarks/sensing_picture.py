"""Draw docs/images/sensing.jpg: sample photos, what is rebuilt of them, and JPEGs of the same bytes.

    python tests/benchmarks/sensing_picture.py --bundle DIR --out docs/images/sensing.jpg

Photos of scikit-image and scikit-learn alone. What the bundle's recogniser sees is printed, not drawn.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image

from mobile_app.core.bundle import load_bundle
from mobile_app.core.quality import psnr_db
from mobile_app.core.recogniser import load_recogniser
from mobile_app.core.sensing import SensingConfig, load_codec, measure, reconstruct
from mobile_app.core.sensing_format import pack, unpack

SHOWN_PX = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/sensing.jpg"))
    options = parser.parse_args()
    bundle = load_bundle(options.bundle) if options.bundle else load_bundle()
    codec, recogniser = load_codec(bundle), load_recogniser(bundle)
    photos = {
        "chelsea": skimage.data.chelsea(),
        "coffee": skimage.data.coffee(),
        "china": load_sample_image("china.jpg"),
    }
    rows = []
    for name, photo in photos.items():
        pictures, words = [photo], [f"original: {seen(recogniser, photo)}"]
        for rate in (0.1, 0.3):
            data = pack(measure(photo, codec, SensingConfig(rate=rate)))
            found = reconstruct(unpack(data), codec)
            pictures.append(found)
            words.append(f"rate {rate:g}, {len(data)} bytes, {psnr_db(photo, found):.1f} dB: {seen(recogniser, found)}")
        jpeg, size = as_jpeg(photo, len(data))
        words.append(f"JPEG, {size} bytes, {psnr_db(photo, jpeg):.1f} dB: {seen(recogniser, jpeg)}")
        print(f"{name}  " + "; ".join(words), flush=True)
        rows.append(np.concatenate([middle(picture) for picture in (*pictures, jpeg)], 1))
    Image.fromarray(np.concatenate(rows)).save(options.out, quality=88)
    return 0


def seen(recogniser, photo: np.ndarray) -> str:
    best = recogniser.look(photo, top=1).best
    return f"{best.label} {best.probability:.0%}"


def middle(photo: np.ndarray) -> np.ndarray:
    """Pixel by pixel: a resize would hide what is to be seen."""
    top, left = (photo.shape[0] - SHOWN_PX) // 2, (photo.shape[1] - SHOWN_PX) // 2
    return photo[top : top + SHOWN_PX, left : left + SHOWN_PX]


def as_jpeg(photo: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    for quality in range(95, 0, -1):
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= size or quality == 1:
            break
    return np.asarray(Image.open(buffer)), buffer.tell()


if __name__ == "__main__":
    raise SystemExit(main())
