"""Why a model cannot be loaded, in one sentence that names the remedy."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import transformers
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError

from inference.device import is_out_of_memory
from inference.errors import ContextExceeded, InferenceError, ModelUnavailable, safe_traceback
from inference.names import did_you_mean, is_folder
from inference.types import ModelSpec
from inference.weights.integers import ForeignLayout

log = logging.getLogger(__name__)

MAX_QUOTED = 160

FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_ERRORS = (errno.EACCES, errno.EIO, errno.ENOTDIR, errno.EPERM, errno.EROFS)


@contextmanager
def one_sentence(spec: ModelSpec) -> Iterator[None]:
    """Turn what loading and the first answer raise into `ModelUnavailable`."""
    name = spec.name
    try:
        yield
    except ModelUnavailable:
        raise
    except InferenceError as exc:
        raise _cannot_answer(name, exc) from None
    except ImportError as exc:
        missing = exc.name or str(exc).strip().splitlines()[0]
        raise ModelUnavailable(
            f"The model '{name}' needs a Python package that is missing: {missing}."
        ) from None
    except OSError as exc:
        raise ModelUnavailable(_why_not_found(spec, exc)) from None
    except ForeignLayout as exc:
        raise ModelUnavailable(
            f"The weights of the model '{name}' do not fit its config.json ({exc}). "
            "Download both again, or set MODEL to another one."
        ) from None
    except SafetensorError:
        raise damaged(name) from None
    except (RuntimeError, MemoryError) as exc:
        raise (_no_room(name) if _lacks_memory(exc) else _not_understood(name, exc)) from None
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        if is_folder(name) and not any(Path(name).expanduser().glob("config.json")):
            raise ModelUnavailable(_why_not_found(spec, exc)) from None
        raise _not_understood(name, exc) from None


def damaged(name: str) -> ModelUnavailable:
    """Return the error for weight files that cannot be parsed."""
    return ModelUnavailable(
        f"The weights of the model '{name}' are damaged: delete them and download them again."
    )


def _lacks_memory(exc: BaseException) -> bool:
    return isinstance(exc, MemoryError) or is_out_of_memory(exc)


def _no_room(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model '{name}' does not fit the device's memory: try --load-4bit, or a smaller model."
    )


def _cannot_answer(name: str, exc: InferenceError) -> ModelUnavailable:
    if isinstance(exc, ContextExceeded):
        return ModelUnavailable(
            f"CONTEXT_TOKENS is too small for the model '{name}': "
            f"one picture alone needs {exc.needed_tokens}."
        )
    return ModelUnavailable(
        f"The model '{name}' cannot answer: its first question has failed ({exc}). "
        "Set MODEL to another one."
    )


def _not_understood(name: str, exc: BaseException) -> ModelUnavailable:
    log.error("loading has failed: %s", safe_traceback(exc))
    # A library's message may be shown: no user's text can be in it yet.
    what = next(iter(str(exc).strip().splitlines()), "")[:MAX_QUOTED]
    return ModelUnavailable(
        f"The model '{name}' cannot be loaded: transformers {transformers.__version__} "
        f"does not understand its files ({type(exc).__name__}: {what}). Set MODEL to another one."
    )


def _disk_error(exc: BaseException | None) -> OSError | None:
    """Return the file system's error, if that is why a model was not found."""
    while exc is not None:
        if isinstance(exc, OSError) and (
            # Without a file's name it may be the network that refuses.
            exc.errno in FULL or (exc.errno in DISK_ERRORS and exc.filename is not None)
        ):
            return exc
        exc = exc.__cause__ or exc.__context__
    return None


def _why_not_found(spec: ModelSpec, exc: BaseException | None) -> str:
    name = spec.name
    if (disk := _disk_error(exc)) is not None:
        where = "" if disk.filename is None else f" ({disk.filename})"
        return f"The model '{name}' cannot be read or kept: {disk.strerror}{where}."
    if Path(name).expanduser().is_file():
        return f"'{name}' is a file: name the folder that holds the whole model."
    if is_folder(name):
        return f"The folder '{name}' holds no model that transformers can read."
    while exc is not None:
        match exc:
            case GatedRepoError():
                return (
                    f"The model '{name}' is gated: accept its licence on the model hub "
                    "and set HF_TOKEN."
                )
            case RepositoryNotFoundError():
                hint = did_you_mean(name) or "Check MODEL."
                return f"There is no model '{name}' on the model hub. {hint}"
            case RevisionNotFoundError():
                return f"The model '{name}' has no revision '{spec.revision}'."
            case LocalEntryNotFoundError():
                break
            case EntryNotFoundError():
                return f"The repository '{name}' holds no model that transformers can read."
        exc = exc.__cause__ or exc.__context__
    sentence = (
        f"The model '{name}' is neither a folder here nor in the download cache, "
        "and the model hub cannot be reached."
    )
    return " ".join(filter(None, (sentence, did_you_mean(name))))
