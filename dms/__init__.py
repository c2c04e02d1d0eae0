"""Driver monitoring: a camera looks at a driver, four small engines see, the software judges and tells."""

import os

__version__ = "0.1.0"

# ONNX Runtime 1.31 for Linux keeps a device number in the home directory and collects events under it, unless
# this stands before it is loaded. Set here, where every way into the package passes.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
