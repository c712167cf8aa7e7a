"""Which models there are, what they need, and how fast they will be: computed from their shapes."""

from inference.catalogue.choosing import Card, Fit, Need, fits_on, recommended
from inference.catalogue.report import as_document, as_markdown, as_text

__all__ = [
    "Card",
    "Fit",
    "Need",
    "as_document",
    "as_markdown",
    "as_text",
    "fast_models",
    "fits_on",
    "recommended",
]


def fast_models() -> frozenset[str]:
    """Names of the models that the fast path runs. Takes seconds: the path is asked itself."""
    from inference.catalogue import fast_path

    return fast_path.fast_models()
