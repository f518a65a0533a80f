"""Published figures as data; what they are and whose is in NOTICE."""
