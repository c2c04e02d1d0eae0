"""A camera that speaks RTSP: one client at a time, JPEG in RTP (RFC 2435) over the RTSP connection itself."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import cv2

from tests.media import picture

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track\r\n"
RATE_HZ = 90_000
PERIOD_S = 0.02
WIDTH, HEIGHT = 64, 48


def segment(jpeg: bytes, marker: int) -> list[bytes]:
    """Payloads of all header segments of one kind."""
    found, at = [], 2
    while jpeg[at + 1] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        if jpeg[at + 1] == marker:
            found.append(jpeg[at + 4 : at + 2 + length])
        at += 2 + length
    return found


def payload(level: int) -> bytes:
    """A picture as one RTP/JPEG payload: the tables of quantisation, then the bare scan."""
    jpeg = cv2.imencode(".jpg", picture(level, WIDTH, HEIGHT))[1].tobytes()
    tables = b"".join(table[1:65] for table in segment(jpeg, 0xDB))
    at = jpeg.index(b"\xff\xda")
    scan = jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] : -2]
    yuv420, tables_in_band = 1, 255
    head = struct.pack(">IBBBB", 0, yuv420, tables_in_band, WIDTH // 8, HEIGHT // 8)
    return head + struct.pack(">BBH", 0, 0, len(tables)) + tables + scan


class RtspServer:
    """Serves `url` until closed."""

    def __init__(self, port: int = 0) -> None:
        self._stopping = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", port))
        self._client: socket.socket | None = None
        self.port = self._socket.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._thread = threading.Thread(daemon=True, target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Hang up."""
        self._stopping.set()
        for connection in (self._client, self._socket):
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stopping.is_set():
                self._client, _ = self._socket.accept()
                with contextlib.suppress(OSError):
                    self._talk(self._client)

    def _talk(self, client: socket.socket) -> None:
        requests = client.makefile("r", newline="\r\n")
        while line := requests.readline():
            method = line.split()[0]
            headers = dict(h.split(": ", 1) for h in iter(lambda: requests.readline().strip(), ""))
            client.sendall(self._answer(method, headers["CSeq"]).encode())
            if method == "PLAY":
                self._play(client)
                return

    def _answer(self, method: str, sequence: str) -> str:
        extra = {
            "OPTIONS": "Public: DESCRIBE, SETUP, PLAY\r\n",
            "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
        }.get(method, "")
        body = SDP if method == "DESCRIBE" else ""
        return f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nSession: 1\r\n{extra}\r\n{body}"

    def _play(self, client: socket.socket) -> None:
        payloads = [payload(level) for level in (0, 40, 80)]
        count = 0
        while not self._stopping.wait(PERIOD_S):
            last_of_picture = 0x80 | 26
            stamp = int(count * PERIOD_S * RATE_HZ)
            packet = struct.pack(">BBHII", 0x80, last_of_picture, count & 0xFFFF, stamp, 1)
            packet += payloads[count % len(payloads)]
            client.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            count += 1
