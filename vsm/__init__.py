"""The model: facts, and everything that is derived from them.

The one way that data flows, a module an arrow: models and store keep the facts; links says which
belong together; events, visits and stream tell each item's path; metrics turn paths into figures;
measure takes them for one scope; report writes them down.
"""
