"""The customer-support deployment: its team, its shop and its help articles."""
