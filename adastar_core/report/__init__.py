"""The report of a run: pure functions from :class:`adastar_core.report.records.RunReport` to what people read.

``text`` makes the terminal's table and the Markdown, ``figures`` the figures, ``page`` the self-contained HTML
file, ``summary`` the machine-readable summary. None of them imports torch.
"""
