"""What the teams can look up: documents in collections, found by their words and by their meaning.

Knows no team and no tool: a deployment offers a search to its agents as it likes.
"""

from proctor.knowledge._documents import Document
from proctor.knowledge._embeddings import Embedder
from proctor.knowledge._knowledge import Changes, FoundBy, Knowledge, Passage
from proctor.knowledge._sql import Source

__all__ = ["Changes", "Document", "Embedder", "FoundBy", "Knowledge", "Passage", "Source"]
