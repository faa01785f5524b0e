"""The studio: data, trainings, models and the live car in a browser, above ``perception`` and ``training``.

browser ─► safety ─► a room (``rooms/``, one file each) ─► page: templates/
                     reads through perception and training
                     changes things by commands alone ─► jobs (SQLite) ─► runner, a process of its own

It adds no second way of doing anything: each button runs a documented command, and the page shows it.
"""
