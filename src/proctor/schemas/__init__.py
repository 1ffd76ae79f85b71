"""Values held against schemas that others wrote: tools' arguments and answers, and what people edit."""

from proctor.schemas._schemas import BrokenSchema, faults_of

__all__ = ["BrokenSchema", "faults_of"]
