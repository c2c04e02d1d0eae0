"""Every module that runs imports with the core dependencies alone; heavy packages stay in their adapters."""

import json
import os
import pkgutil
import subprocess
import sys

import pytest

import dms

HEAVY = """
torch onnx onnxscript onnxslim onnxconverter_common mediapipe pandas pyarrow skimage scipy matplotlib tqdm
PIL amqtt tensorrt tensorrt_rtx cuda openvino ai_edge_litert onnxruntime_qnn gi starlette uvicorn rich
prometheus_client can gpiod miniaudio pytest hypothesis
"""
EXEMPT = (
    "dms.training",
    "dms.engines.compare",
    "dms.engines.graph",
    "dms.engines.integer",
    "dms.engines.quantize",
    "dms.engines.ranges",
    "dms.engines.release",
    "dms.engines.sensitivity",
    "dms.engines.simplify",
    "dms.engines.storage",
)
"""Make engines, with the extras `train` and `quantize`; nothing that runs may import them."""

PROGRAM = """
import importlib, json, os, sys
import click, cv2, numpy, onnxruntime, paho.mqtt.client, psutil, pydantic, yaml

heavy, exempt, modules = json.loads(sys.argv[1])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in heavy:
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)

def trouble(module):
    try:
        importlib.import_module(module)
    except ImportError as e:
        return str(e)
    return [name for name in sys.modules if name.startswith(tuple(exempt))]

assert not [name for name in sys.modules if name.startswith('dms')]
sys.meta_path.insert(0, Absent())
for module in modules:  # each in its own process, so that none finds what another one imported
    if os.fork() == 0:
        if found := trouble(module):
            print(module, found, flush=True)
        os._exit(0)
    os.wait()
"""


def modules():
    names = [found.name for found in pkgutil.walk_packages(dms.__path__, "dms.")]
    return sorted(name for name in names if not name.startswith(EXEMPT) and not name.endswith("__main__"))


def python(code, *arguments):
    """What `code`, run by a fresh interpreter, prints."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    ).stdout


def test_the_walk_finds_the_package():
    assert {"dms.app", "dms.cli", "dms.sources.replay", "dms.doctor.host"} <= set(modules())


def test_every_module_imports_with_the_core_dependencies_only():
    assert python(PROGRAM, json.dumps([HEAVY.split(), EXEMPT, modules()])) == ""


@pytest.mark.parametrize("module", ["dms.config", "dms.records", "dms.errors", "dms.assess.signals"])
def test_the_inner_modules_load_no_adapter(module):
    code = f"import sys, {module}; print({{'cv2', 'onnxruntime', 'paho', 'psutil'}} & set(sys.modules))"
    assert python(code) == "set()\n"
