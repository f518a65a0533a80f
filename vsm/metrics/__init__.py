"""Metrics: pure functions over frames and the graph, each with its definition in the first line of its docstring."""
