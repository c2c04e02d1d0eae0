"""Recordings and a stream server made on the spot, for the tests of sources."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dms.sources.opencv import hush_opencv


def picture(level: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A BGR picture whose luma runs from dark to bright from left to right, `level` brighter all over."""
    ramp = np.linspace(20, 120, width, dtype=np.float32) + level
    return np.repeat(np.repeat(ramp[None, :, None], height, 0), 3, 2).astype(np.uint8)


def write_video(
    path: Path, frames: Iterable[NDArray[np.uint8]], fps: float = 25.0, fourcc: str = "mp4v"
) -> Path:
    """Write BGR frames of one size."""
    hush_opencv()
    writer = None
    for frame in frames:
        size = (frame.shape[1], frame.shape[0])
        writer = writer or cv2.VideoWriter(
            str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*fourcc), fps, size
        )
        assert writer.isOpened()
        writer.write(frame)
    if writer is not None:
        writer.release()
    return path


def turn(path: Path) -> None:
    """Note in an mp4 that its pictures are to be turned by 90 degrees clockwise, as telephones do."""
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    clockwise = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:at] + clockwise + data[at + len(clockwise) :])


def retime(path: Path, periods: Sequence[int]) -> None:
    """Give each frame of an mp4 its own duration: `periods`, in units of the file's own frame period."""
    data = path.read_bytes()
    at = data.index(b"stts") - 4
    size, _, _, entries, _, tick = struct.unpack(">I4sIIII", data[at : at + 24])
    assert entries == 1, "expected a file of constant rate"
    rows = b"".join(struct.pack(">II", 1, n * tick) for n in periods)
    box = struct.pack(">I4sII", 16 + len(rows), b"stts", 0, len(periods)) + rows
    grown = bytearray(data[:at] + box + data[at + size :])
    # The index lies behind the pictures, so only the boxes around this one grow.
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        where = data.index(parent) - 4
        old = struct.unpack_from(">I", grown, where)[0]
        struct.pack_into(">I", grown, where, old + len(box) - size)
    # Nor must the edit list cut the longer track back to its old length.
    path.write_bytes(bytes(grown.replace(b"edts", b"free")))


class MjpegServer:
    """A camera on the network: an endless JPEG stream over HTTP at 50 fps, on a free port of loopback.

    While `silent` is set, the connections stay up and nothing is sent.
    """

    def __init__(self, port: int = 0) -> None:
        self.stopping = threading.Event()
        self.silent = threading.Event()
        jpegs = [cv2.imencode(".jpg", picture(level))[1].tobytes() for level in (0, 40, 80)]
        stopping, silent = self.stopping, self.silent

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                count = 0
                while not stopping.wait(0.02):
                    if silent.is_set():
                        continue
                    jpeg = jpegs[count % len(jpegs)]
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                    except OSError:
                        return
                    count += 1

            def log_message(self, *_: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/cam.mjpg"
        self._thread = threading.Thread(
            daemon=True, target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody and free the port."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
