"""ONNX graphs of this project as Core ML packages, for iPhones: convert, compress, compare with torch, write."""
