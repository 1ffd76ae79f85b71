"""The record of who decided, changed, saw or overrode what. Knows no run and no tool."""

__all__: list[str] = []
