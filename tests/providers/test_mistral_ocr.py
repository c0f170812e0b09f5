from __future__ import annotations

from providers.framing import body
from tallybook.model.usage import Usage
from tallybook.providers.mistral_ocr import OCR, parse

PAGES = [{"index": 0, "markdown": "# One"}, {"index": 1, "markdown": "Two"}]


def test_pages_are_counted() -> None:
    got = parse(body({"pages": PAGES, "model": "mistral-ocr-latest", "usage_info": {"pages_processed": 6}}))
    assert (got.usage, got.text) == (Usage(quantities={"pages": 6}), "# One\n\nTwo")


def test_annotated_pages_are_told_apart_because_they_cost_more() -> None:
    got = parse(body({"pages": PAGES, "document_annotation": "{}", "usage_info": {"pages_processed": 2}}))
    assert got.usage == Usage(quantities={"annotated_pages": 2})


def test_without_usage_it_is_missing() -> None:
    assert parse(body({"pages": PAGES})).flags == ("usage_missing",)


def test_the_document_is_no_part_of_what_is_asked() -> None:
    asked = OCR.asked({"model": "m", "document": {"type": "document_url", "document_url": "data:x"}}, "")
    assert (asked.model, asked.prompt) == ("m", "document_url")
