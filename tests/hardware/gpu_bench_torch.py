"""`python -m tests.hardware.gpu_bench_torch [--json FILE]`: `dms.tools.gpu_bench` with PyTorch's engines."""

import sys

from dms.engines.contract import CONTRACTS
from dms.resources import engines_folder
from dms.tools.gpu_bench import main
from tests.hardware.torch_engine import TorchEngine

if __name__ == "__main__":
    engines = {net: TorchEngine(engines_folder() / net / "model.onnx") for net in CONTRACTS}
    sys.exit(main(engines=engines))
