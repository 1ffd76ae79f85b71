"""The guide's list of sensitive words: texts that hold one of them are refused.

The guide calls two further functions, for investment advice and for medical recommendations, and doesn't say
what they do.
"""

FLAGGED = ("credit_card", "password", "api_key")
