"""ONNX files: emission, onnxsim and quantisation."""
