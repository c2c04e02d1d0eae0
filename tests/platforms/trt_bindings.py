"""Reads from TensorRT's real Python bindings how the calls we use are written, installed or not.

    python tests/platforms/trt_bindings.py tensorrt_cu12_bindings-10.3.0-….whl …

loads the bindings of each wheel beside hollow libraries (GCC makes them) and prints what
`tests/unit/backends/trt_bindings.json` keeps. Nothing is computed: only names, parameters and enumerations.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

CALLS = {
    "ILogger": ("__init__", "log"),
    "IProgressMonitor": ("__init__", "phase_start", "phase_finish", "step_complete"),
    "Builder": (
        "__init__",
        "create_network",
        "create_builder_config",
        "create_optimization_profile",
        "build_serialized_network",
    ),
    "INetworkDefinition": ("num_inputs", "get_input", "num_layers", "get_layer"),
    "ITensor": ("name", "shape", "dtype"),
    "ILayer": ("type", "get_input"),
    "IBuilderConfig": (
        "builder_optimization_level",
        "set_memory_pool_limit",
        "progress_monitor",
        "add_optimization_profile",
        "create_timing_cache",
        "set_timing_cache",
        "get_timing_cache",
        "set_flag",
    ),
    "IOptimizationProfile": ("set_shape",),
    "ITimingCache": ("serialize",),
    "OnnxParser": ("__init__", "parse", "num_errors", "get_error"),
    "ParserError": ("code", "desc", "node_name", "node_operator"),
    "Runtime": ("__init__", "deserialize_cuda_engine"),
    "ICudaEngine": (
        "num_io_tensors",
        "get_tensor_name",
        "get_tensor_mode",
        "get_tensor_shape",
        "get_tensor_dtype",
        "create_execution_context",
    ),
    "IExecutionContext": ("set_input_shape", "set_tensor_address", "execute_async_v3"),
}
"""Everything of TensorRT that the adapter calls or reads."""
NAMES = {
    "NetworkDefinitionCreationFlag": ("STRONGLY_TYPED",),
    "MemoryPoolType": ("WORKSPACE",),
    "TensorIOMode": ("INPUT", "OUTPUT"),
    "DataType": ("FLOAT", "HALF", "UINT8", "INT8", "INT32"),
    "LayerType": ("CONVOLUTION", "DEQUANTIZE"),
    "ErrorCode": ("MODEL_DESERIALIZE_FAILED",),
    "BuilderFlag": ("INT8", "FP16"),
}
"""Values of enumerations; those of `BuilderFlag` are asked for before use and gone in 11."""


def described(module):
    """The calls and names above in `module`: overloads as lists of parameters, null for a property."""
    calls = {f"{kind}.{name}": _call(module, kind, name) for kind, names in CALLS.items() for name in names}
    names = {kind: [n for n in wanted if hasattr(getattr(module, kind), n)] for kind, wanted in NAMES.items()}
    return {"calls": calls, "names": names}


def _call(module, kind, name):
    if kind == "ILogger" and name == "log":  # pure virtual, documented in words: (severity, msg)
        return [["severity", "msg"]]
    found = getattr(getattr(module, kind), name)
    if isinstance(found, property):
        return None
    signatures = re.findall(rf"^(?:\d+\. )?{name}\(self: [\w.]+(.*)\) ->", found.__doc__, re.MULTILINE)
    return [re.findall(r", (\w+):", signature) for signature in signatures]


def _load(wheel, folder):
    """The bindings of a wheel, with libraries that hold the symbols it asks for and do nothing."""
    zipfile.ZipFile(wheel).extractall(folder)
    bindings = next(folder.glob("tensorrt*_bindings/tensorrt*.so"))
    asked = subprocess.run(["nm", "-D", "-u", bindings], capture_output=True, text=True, check=True).stdout
    symbols = [
        s for s in re.findall(r"\b[Uw] (\S+)", asked) if "@" not in s and not s.startswith(("Py", "_Py"))
    ]
    hollow = "".join(
        f"void *{s}[8];\n" if s.startswith("_ZT") else f"void *{s}(void) {{ return 0; }}\n"
        for s in symbols
        if not s.startswith(("_ITM", "__"))
    )
    (folder / "hollow.c").write_text(hollow)
    needed = subprocess.run(["readelf", "-d", bindings], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"\[(libnv\w+\.so\.\d+)\]", needed):
        command = ["gcc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", folder / library]
        subprocess.run([*command, folder / "hollow.c"], check=True)
    program = (
        "import ctypes, json, sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "[ctypes.CDLL(l, ctypes.RTLD_GLOBAL) for l in sys.argv[4:]]\n"
        "import importlib, trt_bindings\n"
        "print(json.dumps(trt_bindings.described(importlib.import_module(sys.argv[3]))))"
    )
    here, libraries = Path(__file__).parent, sorted(folder.glob("libnv*"))
    given = [bindings.parent, here, bindings.stem, *libraries]
    answer = subprocess.run(
        [sys.executable, "-c", program, *given], capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


def main(wheels):
    """Print the description of each wheel by its version."""
    found = {}
    for wheel in map(Path, wheels):
        with TemporaryDirectory() as folder:
            found[wheel.name.split("-")[1]] = _load(wheel, Path(folder))
    lines = [f"{json.dumps(version)}: {json.dumps(found[version])}" for version in sorted(found)]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
