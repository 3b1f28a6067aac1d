"""``adastar ui``: runs in a browser, read-only, from this machine alone.

``serving`` starts it, ``guard`` lets in those who hold the token, ``site`` is what all views share. Each view is a
function in ``views_*.py`` that reads with one of ``attempts``, ``observed``, ``answers`` and ``series``, and fills one
of the templates. Only ``guard``, ``site``, ``serving`` and the views load FastAPI.
"""
