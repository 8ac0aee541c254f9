"""Work orders: what is to be done at a machine, by whom, with what; and what was done.

`orders` has the table of states and the book. Pure: it returns edits to commit.
"""

from gemel.services.work.orders import ACTS, STATES, TRANSITIONS, WorkBook

__all__ = ["ACTS", "STATES", "TRANSITIONS", "WorkBook"]
