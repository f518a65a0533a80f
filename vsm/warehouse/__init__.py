"""The heavy part as Ibis expressions, run where a company's events already are; only aggregates come back.

Nothing here is imported unless an engine is named: Ibis is the extra `[warehouse]`.
"""
