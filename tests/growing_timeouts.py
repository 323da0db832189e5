"""Timeouts that a test tries one after the other.

Some tests are about a timeout that fires when something has already begun: a thread runs, a process
has written, a response has started. On a busy machine a short timeout can fire before that. Such a
test repeats itself with the next timeout until the first part was in time.
"""

TIMEOUTS = (0.05, 0.5, 5.0, 30.0)
