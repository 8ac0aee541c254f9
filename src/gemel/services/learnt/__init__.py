"""Models that were learnt elsewhere (ONNX), fed with windows of a twin's signals.

Reading order: `windows` (features of a signal at moments), `binding` (features laid out as a
model's inputs), `predicting` (the run), `kind`.
"""
