"""Who is who on GitHub: the account behind an e-mail's handle, and which accounts are programs."""

NO_REPLY = "@users.noreply."

Row = dict[str, str]


def author(handle: str | None, account: str | None) -> list[Row]:
    """The identities that a commit shows: its author's account, by the e-mail's handle, and that account itself.

    >>> author("mail:0123", "ann")[0]
    {'source': 'git', 'handle': 'mail:0123', 'person': 'ann'}
    >>> [row["person"] for row in author("dependabot[bot]@users.noreply.github.com", None)]
    ['bot:dependabot[bot]', 'bot:dependabot[bot]']
    >>> author("mail:0123", None)
    []
    """
    if handle is None:
        return []
    if account is None and NO_REPLY in handle:
        account = handle.partition(NO_REPLY)[0]
    if account is None:
        return []
    person = _person(account)
    return [{"source": "git", "handle": handle, "person": person}, {"source": "github", "handle": account, "person": person}]


def program(account: str | None) -> list[Row]:
    """The identity of an account that is a program; of a person's alone nothing is known.

    >>> program("dependabot[bot]"), program("ann")
    ([{'source': 'github', 'handle': 'dependabot[bot]', 'person': 'bot:dependabot[bot]'}], [])
    """
    if account is None or not account.endswith("[bot]"):
        return []
    return [{"source": "github", "handle": account, "person": _person(account)}]


def _person(account: str) -> str:
    return f"bot:{account}" if account.endswith("[bot]") else account
