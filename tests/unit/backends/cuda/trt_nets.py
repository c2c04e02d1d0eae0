"""TensorRT's stand-in with given engines in its plans: what `dms.backends.trt` opens computes with them."""

from tests.unit.backends.trt_standin import Mode, Runtime, Script, stand_in

NUMPY = {"uint8": "UINT8", "float32": "FLOAT"}


def tensorrt_of(engines):
    """A module as `tensorrt`: its builds give `engines` (any `DeviceEngine`), one after another."""
    script = Script(plans=[net.encode() for net in engines])
    module = stand_in(script)

    class PlannedRuntime(Runtime):
        def deserialize_cuda_engine(self, serialized_engine):
            return PlannedEngine(module, engines[bytes(serialized_engine).decode()])

    PlannedRuntime.script = script
    module.Runtime = PlannedRuntime
    return module


class PlannedEngine:
    """What TensorRT calls an engine, over a `DeviceEngine`."""

    def __init__(self, module, engine):
        self._module, self._engine = module, engine
        self._tensors = {**engine.inputs, **engine.outputs}
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index):
        return list(self._tensors)[index]

    def get_tensor_mode(self, name):
        return Mode.INPUT if name in self._engine.inputs else Mode.OUTPUT

    def get_tensor_shape(self, name):
        return tuple(-1 if side is None else side for side in self._tensors[name].shape)

    def get_tensor_dtype(self, name):
        return self._module.DataType[NUMPY[self._tensors[name].dtype]]

    def create_execution_context(self):
        return PlannedContext(self._engine)


class PlannedContext:
    """Its execution context."""

    def __init__(self, engine):
        self._engine, self._batch = engine, 0

    def set_input_shape(self, name, shape):
        self._batch = shape[0]
        return True

    def set_tensor_address(self, name, memory):
        self._engine.bind(name, memory)
        return True

    def execute_async_v3(self, stream_handle):
        self._engine.enqueue(stream_handle, self._batch)
        return True
