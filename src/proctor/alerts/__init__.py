"""Alerts: rules, baselines and states. Knows neither journal nor teams: it is given measures."""

__all__: list[str] = []
