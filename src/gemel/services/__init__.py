"""What follows from new readings: rules decide, alarms remember.

Reading order: `rules` (the language, its compiler and the engine that turns batches into
transitions), then `alarms` (the life of an alarm, as documents). Both are pure: they are given the
time and return what follows; whoever calls them makes it durable and shows it.
"""
