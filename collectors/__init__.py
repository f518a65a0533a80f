"""Sources: one file a source, named after it. A collector is a translation: payload in, rows out."""
