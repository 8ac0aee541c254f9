"""Models of others: FMUs and ONNX files, which are run in a process that may do nothing else.

Reading order: `archive` (an FMU's file, checked and unpacked), `sandbox` (this side of that
process), `child` (the other side), `confine` (what is taken from it), `fmu` and `onnx` (there: the
two formats), `described` (what a model says of itself, as a `Behaviour`).

It is the one place in `services` that starts a process: only runs and the import use it, both off
the live loop.
"""

from gemel.services.foreign.described import Foreign, opened

__all__ = ["Foreign", "opened"]
