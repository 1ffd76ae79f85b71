"""`[audit]`: the record of who decided, changed, saw or overrode what."""

from proctor.core._section import Section


class AuditSettings(Section):
    """How the record is signed, and where its heads are kept beside."""
