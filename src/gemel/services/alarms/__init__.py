"""Alarms by ISA-18.2 and IEC 62682: their states, who did what, what belongs together, how many.

Reading order: `states` (the table of states and acts), `alarm` (an alarm as a document), `book`
(all live alarms: rules raise, people and time act, other alarms suppress), `suppression` (what
holds an alarm back by design), `groups` (alarms of one cause through the graph), `record` (what
happened, from the versions of documents), `figures` (key figures and floods), `handover` (a shift
in words). All are pure: given the time, they return edits to commit or figures to show.
"""

from gemel.services.alarms.alarm import alarm_id, is_just_raised
from gemel.services.alarms.book import AlarmBook
from gemel.services.alarms.states import ACTIVE, ACTS, STATES, TRANSITIONS, next_state

__all__ = [
    "ACTIVE",
    "ACTS",
    "STATES",
    "TRANSITIONS",
    "AlarmBook",
    "alarm_id",
    "is_just_raised",
    "next_state",
]
