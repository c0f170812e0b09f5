"""Mistral's OCR: billed by page (`usage_info.pages_processed`); annotated pages have a price of their own."""

from __future__ import annotations

from tallybook.model.usage import Usage
from tallybook.providers.base import Asked, Format, Parsed, Payload
from tallybook.providers.loose import read_whole
from tallybook.providers.value import mapping, mappings, scalars, uses, word

PARAMETERS = ("include_image_base64", "image_limit", "table_format")


def parse_mapping(body: Payload) -> Parsed:
    """A whole response that is decoded already."""
    raw = mapping(body.get("usage_info"))
    pages = uses(raw.get("pages_processed"))
    text = "\n\n".join(word(page.get("markdown")) or "" for page in mappings(body.get("pages")))
    is_annotated = body.get("document_annotation") is not None
    quantities = {"annotated_pages" if is_annotated else "pages": pages} if pages else {}
    return Parsed(
        usage=Usage(quantities=quantities) if quantities else None,
        usage_raw=raw or None,
        response_model=word(body.get("model")),
        text=text or None,
        flags=() if quantities else ("usage_missing",),
    )


def parse(raw: bytes) -> Parsed:
    """A whole response. Bytes that are no JSON give an empty `Parsed`."""
    return read_whole(raw, parse_mapping)


def asked(body: Payload, url: str) -> Asked:
    """What an OCR request asks for; the document itself is not part of it."""
    del url
    document = mapping(body.get("document"))
    return Asked(model=word(body.get("model")), prompt=word(document.get("type")), parameters=scalars(body, PARAMETERS))


OCR = Format("mistral.ocr", "ocr", asked, parse)
