"""What a twin is worth: calculated from stated inputs, and measured from the twin's own record.

Reading order: `formula` (the text that is shown is the text that is computed), `cases` (inputs with
their sources, figures with their formulas), `course` (ten years of cash), `calculate` (figures,
sensitivity, band), `record` and `measured` (what alarms, work orders and commands came to),
`fidelity` (how well predictions met what was then measured).
"""

from gemel.services.roi.calculate import calculate
from gemel.services.roi.cases import CASES

__all__ = ["CASES", "calculate"]
