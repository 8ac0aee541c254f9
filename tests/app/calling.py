"""The command line inside the test's process: as `gemel ...`, without a process for each word."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest import mock

from gemel.cli.main import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def call(*words: str, **environment: str) -> Done:
    """Runs one command with GEMEL_URL and GEMEL_TOKEN as given."""
    out, error = io.StringIO(), io.StringIO()
    given = mock.patch.dict("os.environ", environment)
    with given, redirect_stdout(out), redirect_stderr(error):
        code = main(list(words))
    return Done(code, out.getvalue(), error.getvalue())
