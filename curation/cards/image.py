"""Images are shown as they are: their thumbnails have a route of their own."""

from curation.cards.card import CardKind

IMAGE = CardKind("picture", "path")
