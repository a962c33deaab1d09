"""The timeline: what runs on the loop, what in workers, and what was recorded.

`model` turns packed columns into rows, `pump` carries them to the views, `static` draws them
without a browser, `widget` is the live view and the only module that needs anywidget.
"""
