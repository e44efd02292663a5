"""How far the codec's graphs are off when they compute in 8-bit whole numbers throughout, beside those that ship.

    python tests/benchmarks/sensing_int8.py --model MODEL.pt --bundle DIR [--shared ../shared]

Calibrated on 24 photos of ../shared/data/photos, measured on sample photos of scikit-image.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import skimage.data
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from export.forward import to_onnx
from export.storage import save_graph
from mobile_app.core.bundle import load_bundle
from mobile_app.core.photo import EXTENSIONS, decode
from mobile_app.core.preprocess import from_uint8
from mobile_app.core.quality import psnr_db
from mobile_app.core.runtime import load_graph
from mobile_app.core.sensing import DECODER, ENCODER, TILE_PX, Codec, SensingConfig, load_codec, measure, reconstruct
from training.models.sensing_photo import load_sensing


class Reader(CalibrationDataReader):
    def __init__(self, name: str, arrays: list[np.ndarray]) -> None:
        self._rows = iter([{name: array} for array in arrays])

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return next(self._rows, None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--model", type=Path, default=Path("runs/sensing-photos/model.pt"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    bundle = load_bundle(options.bundle) if options.bundle else load_bundle()
    codec = load_codec(bundle, threads=1)
    found = sorted((options.shared / "data" / "photos").iterdir())
    paths = [path for path in found if path.suffix.lower() in EXTENSIONS][:24]
    squares = [photo[:TILE_PX, :TILE_PX] for photo in (decode(path).rgb_hwc for path in paths)]
    images = [from_uint8(one) for one in squares if one.shape[:2] == (TILE_PX, TILE_PX)]
    measurements = [codec.load(ENCODER).run({"image": image})["measurements"] for image in images]
    with tempfile.TemporaryDirectory() as folder:
        plain, path = Path(folder) / "plain.onnx", Path(folder) / "decoder.onnx"
        example = {"measurements": torch.from_numpy(measurements[0])}
        model = to_onnx(load_sensing(options.model)[0].decoder, example, ["image"])
        save_graph(model, plain)
        quantize_static(
            str(plain),
            str(path),
            Reader("measurements", measurements),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=["Conv", "Relu", "Add"],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        small = load_graph(path, threads=1)
        inside = Codec(model=codec.model, load=lambda name: small if name == DECODER else codec.load(name))
        for name in ("chelsea", "coffee", "astronaut"):
            photo = getattr(skimage.data, name)()
            measured = measure(photo, codec, SensingConfig(rate=0.2))
            shipped, whole = reconstruct(measured, codec), reconstruct(measured, inside)
            print(
                f"{name}: shipped {psnr_db(photo, shipped):.2f} dB, int8 throughout {psnr_db(photo, whole):.2f} dB, "
                f"{psnr_db(shipped, whole):.1f} dB from each other"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
