"""Sources: one file a source, named after it. A collector is a translation; it imports vsm.models, vsm.store and vsm.config only."""
