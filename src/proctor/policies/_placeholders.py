"""Values that only hold the place of one."""

import re

_PLACEHOLDER = re.compile(
    r"(?is)"
    r"<.*|\{\{.*|\$[{(].*|\$[A-Z_]+|%[({].*|%\w|\[.*\]|\{\w*\}"  # templates and variables
    r"|[A-Za-z_.:]{3,}[(\[].*|(?:os|process|self|this|env|config|settings|args|request|params)\..*"  # code
    r"|[*.x#?_-]+|.*(?:x{6}|\*{3}|\.{3}|0{8}|example|placeholder|redacted).*"
    r"|(?:your|insert|enter|replace|change)[_ -]?\w*.*"
    r"|(?:https?|ftp|file)://.*|\.{0,2}/.*"
    r"|none|null|nil|true|false|undefined|empty|string|str|required|optional|password|passwd|pwd|pass|secret|token"
)


def is_placeholder(value: str) -> bool:
    """Whether a value is a template, a variable, an address or a sample rather than somebody's own."""
    return _PLACEHOLDER.fullmatch(value) is not None
