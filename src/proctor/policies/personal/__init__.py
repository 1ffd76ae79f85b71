"""Personal data in a text: known by its form, its check digits and what it is called."""

from proctor.policies.personal._addresses import addresses
from proctor.policies.personal._names import Names
from proctor.policies.personal._personal import personal

__all__ = ["Names", "addresses", "personal"]
