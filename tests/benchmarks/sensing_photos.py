"""What photos rebuilt from measurements show to people and recognisers, beside JPEG and WebP of the same bytes.

    python tests/benchmarks/sensing_photos.py --bundle DIR --plain runs/sensing-photos/plain.pt [--photos 40]

Photos of nips17 whose sha256 begins with 192 or above, which the codec was not trained on. A recogniser counts photos
that it has right as they are; what is printed is the share of these that it still has right. Beside the decoder of the
bundle stands the plain one, of the same measurements.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mobile_app.core.bundle import load_bundle
from mobile_app.core.photo import decode
from mobile_app.core.quality import psnr_db, ssim
from mobile_app.core.sensing import SensingConfig, load_codec, measure, reconstruct
from mobile_app.core.sensing_format import LUMA, MEASUREMENTS, RATES, STEP_UNIT, Measured, pack, unpack
from training.evaluate.judges import ask, open_judges
from training.evaluate.machine import machine
from training.models.sensing_photo import SensingCodec, load_sensing, with_edges

Pixels = np.ndarray
JUDGES = ("lite0", "squeezenet", "lite2", "darknet_tiny", "mobilenet_v1_tflite")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--plain", type=Path, help="plain.pt of `python -m training sensing-photos`")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 0.2, 0.3])
    parser.add_argument("--judges", nargs="+", default=list(JUDGES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(options.bundle) if options.bundle else load_bundle()
    codec = load_codec(bundle, threads=1)
    plain = load_sensing(options.plain)[0] if options.plain else None
    photos, labels = held_out(options.shared / "data" / "nips17", options.photos)
    judges, _ = open_judges(options.judges, options.shared)
    clean = {judge.name: [answer[0] for answer in ask(judge, photos, 1.0)] for judge in judges}
    print(f"{machine()}, one thread; {len(photos)} photos")
    print("| rate | as | bytes a photo | PSNR | SSIM | " + " | ".join(judge.name for judge in judges) + " |")
    print("|---|---|---|---|---|" + "---|" * len(judges))
    for rate in options.rates:
        started = time.perf_counter()
        measured = [measure(photo, codec, SensingConfig(rate=rate)) for photo in photos]
        files = [pack(one) for one in measured]
        ways: dict[str, list[Pixels]] = {"bundle": [reconstruct(unpack(data), codec) for data in files]}
        seconds = (time.perf_counter() - started) / len(photos)
        if plain is not None:
            ways["plain decoder"] = [plainly(one, plain) for one in measured]
        sizes = {name: [len(data) for data in files] for name in ways}
        for kind in ("JPEG", "WEBP"):
            written = [of_size(photo, kind, len(data)) for photo, data in zip(photos, files, strict=True)]
            ways[kind] = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in written]
            sizes[kind] = [len(data) for data in written]
        for name, pictures in ways.items():
            cells = [f"{np.mean(sizes[name]):.0f}"]
            cells.append(f"{np.mean([psnr_db(a, b) for a, b in zip(photos, pictures, strict=True)]):.2f}")
            cells.append(f"{np.mean([ssim(a, b) for a, b in zip(photos, pictures, strict=True)]):.3f}")
            for judge in judges:
                right = [index for index, label in enumerate(labels) if clean[judge.name][index] == label]
                after = ask(judge, [pictures[index] for index in right], 1.0)
                read = np.mean([answer[0] == labels[index] for answer, index in zip(after, right, strict=True)])
                cells.append(f"{100 * read:.0f} % of {len(right)}")
            print(f"| {rate:g} | {name} | " + " | ".join(cells) + " |", flush=True)
        print(f"measuring, packing, unpacking and rebuilding: {seconds:.2f} s a photo", flush=True)
    return 0


def held_out(folder: Path, count: int) -> tuple[list[Pixels], list[int]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        rows = [(folder / row["file"], int(row["class_index"])) for row in csv.DictReader(table)]
    kept = [(path, label) for path, label in rows if hashlib.sha256(path.read_bytes()).digest()[0] >= 192][:count]
    return [decode(path).rgb_hwc for path, _ in kept], [label for _, label in kept]


def plainly(measured: Measured, codec: SensingCodec) -> Pixels:
    """The same measurements through another decoder, as one picture."""
    luma, chroma = RATES[measured.rate]
    whole = torch.zeros(1, MEASUREMENTS, *measured.levels.shape[1:])
    values = torch.from_numpy(measured.levels * np.float32(measured.step * STEP_UNIT))
    whole[0, :luma], whole[0, LUMA : LUMA + chroma] = values[:luma], values[luma:]
    with torch.inference_mode():
        found = with_edges(codec.decoder, whole)[0, :, : measured.height_px, : measured.width_px]
    return (found.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def of_size(photo: Pixels, kind: str, size: int) -> bytes:
    """The best JPEG or WebP of at most so many bytes."""

    def written(quality: int) -> bytes:
        buffer = io.BytesIO()
        extra = {"optimize": True} if kind == "JPEG" else {"method": 6}
        Image.fromarray(photo).save(buffer, kind, quality=quality, **extra)  # pyright: ignore[reportArgumentType]
        return buffer.getvalue()

    return largest_within(written, size)


def largest_within(written: Callable[[int], bytes], size: int) -> bytes:
    low, high = 1, 100
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(written(middle)) <= size else (low, middle - 1)
    return written(low)


if __name__ == "__main__":
    raise SystemExit(main())
