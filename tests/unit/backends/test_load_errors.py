"""Why a model cannot be loaded, in one sentence."""

from __future__ import annotations

import errno
import os

import pytest

from inference.backends.load_errors import one_sentence
from inference.errors import ModelUnavailable
from inference.types import ModelSpec


def os_error(number: int, file: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), file)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (os_error(errno.ENOSPC), "read or kept: No space left on device."),
        (os_error(errno.EROFS, "/hub/x"), "read or kept: Read-only file system (/hub/x)."),
        (os_error(errno.EACCES, "/hub/x"), "read or kept: Permission denied (/hub/x)."),
        (os_error(errno.EACCES), "the model hub cannot be reached."),  # a firewall's
        (os_error(errno.ECONNREFUSED), "the model hub cannot be reached."),
    ],
)
def test_a_disk_that_refuses_is_not_taken_for_a_network_that_does(
    cause: OSError, reason: str
) -> None:
    with pytest.raises(ModelUnavailable) as refused, one_sentence(ModelSpec(name="some/model")):
        raise OSError("the library's own words") from cause
    assert str(refused.value).endswith(reason)
