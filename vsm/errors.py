"""Errors with a sentence for the person at the keyboard: what is wrong, where, and what to do."""


class UsageError(Exception):
    """The call, the configuration or the input is wrong: exit status 2."""


class WorkError(Exception):
    """Some of the work failed: exit status 1."""


class ConfigError(UsageError):
    """The configuration cannot be used; the message names the file, the place and what was expected."""


class StoreError(UsageError):
    """The store cannot be opened or is not ours; the message says why and what to do."""


class NoStore(StoreError):
    """There is no store yet: no file, or a database without tables."""
