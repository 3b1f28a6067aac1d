"""The report of a run, from its :class:`adastar_core.report.records.RunReport`.

``text`` makes tables and Markdown, ``figures`` the figures, ``page`` the self-contained HTML file, ``summary`` the
machine-readable summary. None of them imports torch. ``build`` makes the report itself from the store.
"""
