"""Small videos that tests make."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction

import av
from PIL import Image, ImageDraw


def film(
    frames: Sequence[Image.Image],
    *,
    file_format: str = "mp4",
    codec: str = "libx264",
    rate: int | Fraction = 10,
    key_every: int = 250,
    shape: Fraction | None = None,
    is_live: bool = False,
) -> bytes:
    """A video of these frames.

    `shape`: of its pixels, width by height. `is_live`: a WebM that tells neither its length nor
    those of its parts, as if it never ended.
    """
    file = io.BytesIO()
    options = {"live": "1"} if is_live else {}
    with av.open(file, "w", format=file_format, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.gop_size = key_every
        if codec == "libx264":
            stream.options = {"sc_threshold": "0"}  # no key frames of its own
        if shape is not None:
            stream.sample_aspect_ratio = shape
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
    return file.getvalue()


def growing(size: tuple[int, int]) -> bytes:
    """A WebM whose header says 96 by 64 pixels, and whose frames are of another size."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 10)
    encoder.thread_count = 1
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
        for image in (*moving_bar(3, size), None):
            frame = None if image is None else av.VideoFrame.from_image(image)
            for packet in encoder.encode(frame):
                packet.stream = stream
                container.mux(packet)
    return file.getvalue()


def sound(file_format: str = "mp4") -> bytes:
    """A file with sound alone."""
    file = io.BytesIO()
    with av.open(file, "w", format=file_format) as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def turned(mp4: bytes) -> bytes:
    """The same as a phone films it upright: its header has players turn it clockwise."""
    at = mp4.index(b"tkhd") + 4 + 40  # a version's header of 4 bytes, then 36 before the matrix
    quarter = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    return mp4[:at] + quarter + mp4[at + len(quarter) :]


def moving_bar(count: int, size: tuple[int, int] = (96, 64)) -> list[Image.Image]:
    """A white bar that goes from left to right over blue."""
    frames = []
    for index in range(count):
        frame = Image.new("RGB", size, (0, 0, 200))
        left = index * (size[0] - 16) // max(1, count - 1)
        ImageDraw.Draw(frame).rectangle((left, 0, left + 15, size[1]), fill=(255, 255, 255))
        frames.append(frame)
    return frames


def bar_at(image: Image.Image) -> float:
    """Where the bar's middle is, as a share of the width."""
    row = image.convert("RGB").crop((0, 9, image.width, 10)).getchannel("R").tobytes()
    bright = [index for index, value in enumerate(row) if value > 128]
    return sum(bright) / len(bright) / image.width
