"""What travels to ONNX, PyTorch and C, and C's source."""
