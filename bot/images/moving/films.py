"""Takes some frames of a video: an MP4, QuickTime or WebM file, by FFmpeg's libraries.

Only ever imported in a confined process (`bot/images/decoding/`): FFmpeg has no place in the bot,
and a hostile file is met by that process's limits. The packets are read once, and only those are
decoded that a wanted frame needs.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

import av
from PIL import Image

from bot.errors import PictureRefused
from bot.images.moving.animations import SHARE_OF_TIME
from bot.images.moving.shots import Looked, Shot
from bot.images.opening import MAX_ASPECT
from bot.values.limits import PictureLimits

_FORMATS: Final = {"MP4": "mov", "WEBM": "matroska"}
"""Kind of file → FFmpeg's name of what takes it apart. No other is tried."""
DECODERS: Final = ("h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "h263", "mjpeg")
MAX_PIXELS: Final = 400_000_000
"""Of all frames decoded: two seconds, about."""
MAX_PACKETS: Final = 50_000
"""Of a video of five minutes at 120 frames a second there are 36,000."""
_CANDIDATES: Final = (9, 18)
"""Frames that are compared: the larger they are, the fewer."""
_CANDIDATE_PIXELS: Final = 40_000_000
"""Of all of them."""
_WHOLE: Final = 0.9
"""A video seen up to here was seen to its end."""
_Packet: TypeAlias = "av.Packet[av.VideoStream]"  # generic for type checkers alone

_OPTIONS: Final = {
    "codec_whitelist": ",".join(DECODERS),
    "protocol_whitelist": "",
    "probesize": "5000000",
}


@dataclass(frozen=True, slots=True)
class _Film:
    """The packets of a video's pictures, in the order in which they are decoded."""

    packets: Sequence[_Packet]
    stream: av.VideoStream
    first_pts: int
    last_pts: int

    @property
    def tick_s(self) -> Fraction:
        return self.stream.time_base or Fraction(1, 1000)

    @property
    def length_s(self) -> float:
        """Up to where its last frame begins."""
        return float((self.last_pts - self.first_pts) * self.tick_s)


def prepare() -> None:
    """Load all of PyAV, which imports its parts when a stream needs them: then it is too late."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def look_at_film(name: str, kind: str, data: bytes, limits: PictureLimits) -> Looked:
    """Take frames evenly from a video.

    Raises:
        PictureRefused: it is too long or too large, holds no pictures, or cannot be decoded.
    """
    try:
        file = io.BytesIO(data)
        with av.open(file, "r", format=_FORMATS[kind], options=_OPTIONS) as container:
            stream = _checked(name, container, limits)
            film = _read(name, container, stream, limits)
            shots = list(_shots(film, limits))
    except (PictureRefused, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - FFmpeg says anything at all of damaged files
        raise PictureRefused("picture_film_broken", name=name) from None
    if not shots:
        raise PictureRefused("picture_film_broken", name=name)
    is_whole = shots[-1].at_ms >= _WHOLE * 1000 * film.length_s
    return Looked(shots=tuple(shots), is_whole=is_whole)


def _checked(
    name: str, container: av.container.InputContainer, limits: PictureLimits
) -> av.VideoStream:
    """The pictures, if they may be decoded."""
    stream = container.streams.best("video")  # none that is a sound's cover, if there is another
    if not isinstance(stream, av.VideoStream):
        raise PictureRefused("picture_film_empty", name=name)
    width, height = stream.codec_context.width, stream.codec_context.height
    if stream.codec_context.name not in DECODERS or not width or not height:
        raise PictureRefused("picture_film_broken", name=name)
    if width * height > limits.max_pixels:
        raise PictureRefused(
            "picture_too_many_pixels",
            name=name,
            width=width,
            height=height,
            limit_mp=limits.max_pixels / 1e6,
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureRefused("picture_too_narrow", name=name, width=width, height=height)
    return stream


def _read(
    name: str,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    limits: PictureLimits,
) -> _Film:
    """Read the packets; a file that breaks off has those before that."""
    packets: list[_Packet] = []
    try:
        for packet in container.demux(stream):
            if packet.pts is not None:
                packets.append(packet)
            if len(packets) > MAX_PACKETS:
                break
    except av.FFmpegError:
        pass
    times = [packet.pts for packet in packets if packet.pts is not None]
    if not times:
        raise PictureRefused("picture_film_broken", name=name)
    film = _Film(packets, stream, min(times), max(times))
    if film.length_s > limits.max_video_s:
        told_s = (container.duration or 0) / av.time_base
        raise PictureRefused(
            "picture_film_too_long",
            name=name,
            length_s=round(max(film.length_s, told_s)),
            limit_s=limits.max_video_s,
        )
    if len(packets) > MAX_PACKETS:
        raise PictureRefused("picture_too_many_parts", name=name, limit=MAX_PACKETS)
    return film


def _shots(film: _Film, limits: PictureLimits) -> Iterator[Shot]:
    until_s = time.process_time() + SHARE_OF_TIME * limits.decode_s
    span = film.last_pts - film.first_pts
    area = film.stream.codec_context.width * film.stream.codec_context.height
    fewest, most = _CANDIDATES
    count = max(fewest, min(most, _CANDIDATE_PIXELS // area))
    wanted = sorted({film.first_pts + span * at // (count - 1) for at in range(count)})
    frames_each = max(2, MAX_PIXELS // len(wanted) // area)
    decoding = _Decoding(film, frames_each=frames_each, max_pixels=limits.max_pixels)
    seen_ms = -1
    for pts in wanted:
        try:
            frame = decoding.at(pts)
        except av.FFmpegError:
            return
        if frame is None:
            return
        at_ms = max(0, int(((frame.pts or 0) - film.first_pts) * film.tick_s * 1000))
        if at_ms > seen_ms:
            seen_ms = at_ms
            image = _image_of(frame, film.stream, limits.max_side_px)
            yield Shot(number=1, at_ms=at_ms, image=image)
        if time.process_time() > until_s:
            return


class _Decoding:
    """Goes forward through the packets, from one wanted frame to the next."""

    def __init__(self, film: _Film, *, frames_each: int, max_pixels: int) -> None:
        self._packets = film.packets
        self._context = film.stream.codec_context
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(max_pixels)}  # of frames, whatever headers say
        self._frames_each = frames_each
        self._keys = [at for at, packet in enumerate(film.packets) if packet.is_keyframe]
        self._key_pts = [film.packets[at].pts or 0 for at in self._keys]
        self._next = 0
        self._is_drained = False
        self._frame: av.VideoFrame | None = None
        self._decoded: deque[av.VideoFrame] = deque()
        """Later ones, in order."""

    def at(self, pts: int) -> av.VideoFrame | None:
        """The frame that is shown then, or one before it if that one is far from a key frame.

        `pts`: not before the one asked for last. Raises: FFmpegError.
        """
        self._skip_to_key(pts)
        left = self._frames_each
        while self._frame is None or (self._frame.pts or 0) < pts:
            if self._decoded:
                self._frame = self._decoded.popleft()
                left -= 1
            elif left <= 0 or not self._decode_on():
                break
        return self._frame

    def _decode_on(self) -> bool:
        """Decode the next packet. Returns: whether there was one."""
        if self._next < len(self._packets):
            self._decoded += self._context.decode(self._packets[self._next])
            self._next += 1
            return True
        if self._is_drained:
            return False
        self._is_drained = True
        self._decoded += self._context.decode(None)
        return True

    def _skip_to_key(self, pts: int) -> None:
        """Leave out packets that the frame does not need."""
        at = bisect_right(self._key_pts, pts) - 1
        if at >= 0 and self._keys[at] > self._next:
            self._next = self._keys[at]
            self._decoded.clear()
            self._context.flush_buffers()


def _image_of(frame: av.VideoFrame, stream: av.VideoStream, max_side_px: int) -> Image.Image:
    """Upright, with square pixels, within `max_side_px`."""
    shape = float(stream.sample_aspect_ratio or 1)
    shape = shape if 0.1 < shape < 10 else 1.0
    width, height = frame.width * shape, float(frame.height)
    scale = min(1.0, max_side_px / max(width, height))
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    image: Image.Image = frame.to_image(width=wide, height=high)  # type: ignore[no-untyped-call]
    turned = round(frame.rotation / 90) % 4
    return image.rotate(90 * turned, expand=True) if turned else image
