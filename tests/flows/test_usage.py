"""The page on usage says what the code says."""

from flows.describe import PAGE, usage


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == usage(), "run: python -m flows.describe"
