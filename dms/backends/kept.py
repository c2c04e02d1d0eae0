"""What a runtime compiled, kept from one start to the next."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from dms.errors import InputError
from dms.files import sha256, write_bytes_atomically

log = logging.getLogger(__name__)

_DIGEST_BYTES = hashlib.sha256().digest_size


class Kept:
    """The compiled form of one engine file: one file, overwritten when what it is made from changes.

    It begins with a SHA-256 over key and content: OpenVINO and QNN run a damaged one, and answer wrongly.

    Args:
        folder: where it lies; None keeps nothing.
        engine: the ONNX file.
        key: what else it depends on: versions, device, settings.
    """

    def __init__(self, folder: Path | None, engine: Path, *key: str) -> None:
        self._path = folder and folder / f"{engine.parent.name}.{engine.stem}.compiled"
        self._key = b"" if folder is None else "\n".join((sha256(engine), *key)).encode()

    def read(self) -> bytes | None:
        """The compiled form; None where there is none of this key, or it is damaged."""
        if self._path is None:
            return None
        try:
            found = self._path.read_bytes()
        except OSError:
            return None
        digest, content = found[:_DIGEST_BYTES], found[_DIGEST_BYTES:]
        if digest != self._digest(content):
            log.info("%s is damaged or of another file, device or version; compiling anew", self._path)
            return None
        return content

    def write(self, content: bytes) -> None:
        """Keep a compiled form; where that fails, a warning says so and no more."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(self._path, self._digest(content) + content)
        except (OSError, InputError) as e:
            log.warning("a compiled engine cannot be kept, so every start compiles it again: %s", e)

    def _digest(self, content: bytes) -> bytes:
        return hashlib.sha256(self._key + content).digest()
